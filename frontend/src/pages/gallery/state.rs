//! The pictures as far as they are loaded, and what is selected and open.

use crate::client::{self, Answer, ClientError, ImageFilter};
use crate::components::form::Submission;
use gloo_timers::future::TimeoutFuture;
use leptos::prelude::*;
use leptos::task::spawn_local;
use predilect_api::{ImageDetails, ImageId, ImageList, Profile};
use std::collections::{HashMap, HashSet};
use std::ops::Range;
use wasm_bindgen::JsCast;
use web_sys::HtmlAnchorElement;

/// Pictures asked for at a time.
const SHELF: u32 = 60;
/// Milliseconds that something stays in sight before it is asked for: whoever drags the
/// scrollbar past thousands of pictures doesn't want them all.
const PAUSE_MS: u32 = 60;

/// The state of the Gallery page.
#[derive(Clone, Copy)]
pub(super) struct Browsing {
    pub(super) filter: RwSignal<ImageFilter>,
    pub(super) profiles: RwSignal<Vec<Profile>>,
    /// How many fit; `None` until it is known.
    pub(super) total: RwSignal<Option<u32>>,
    /// The loaded pictures, [`SHELF`] to each number.
    shelves: RwSignal<HashMap<u32, Vec<ImageDetails>>>,
    pub(super) selected: RwSignal<HashSet<ImageId>>,
    /// The place of the last one that was selected or not any more, in this list.
    anchor: StoredValue<Option<u32>>,
    /// The place of the picture on show.
    opened: RwSignal<Option<u32>>,
    /// What is asked about the selected pictures, and what went wrong with that or the list.
    pub(super) requests: Submission,
    /// What went wrong with the picture on show.
    pub(super) view_error: RwSignal<Option<ClientError>>,
    /// What has just been done, in words.
    pub(super) told: RwSignal<String>,
    /// The places in sight, or nearly.
    in_sight: StoredValue<Range<u32>>,
    /// Shelves that an answer is awaited for.
    awaited: StoredValue<HashSet<u32>>,
    /// Counts the lists; an answer about an older one comes too late.
    list: StoredValue<u32>,
}

impl Browsing {
    pub(super) fn new() -> Self {
        Self {
            filter: RwSignal::new(ImageFilter::default()),
            profiles: RwSignal::new(Vec::new()),
            total: RwSignal::new(None),
            shelves: RwSignal::new(HashMap::new()),
            selected: RwSignal::new(HashSet::new()),
            anchor: StoredValue::new(None),
            opened: RwSignal::new(None),
            requests: Submission::new(&[]),
            view_error: RwSignal::new(None),
            told: RwSignal::new(String::new()),
            in_sight: StoredValue::new(0..0),
            awaited: StoredValue::new(HashSet::new()),
            list: StoredValue::new(0),
        }
    }

    /// Reads the profiles, then the pictures.
    pub(super) fn start(self) {
        spawn_local(async move {
            match read_profiles().await {
                Ok(profiles) => {
                    self.profiles.try_set(profiles);
                }
                Err(error) => {
                    self.requests.error.try_set(Some(error));
                    return;
                }
            }
            self.load_shelf(0).await;
        });
    }

    /// Begins the list anew: the filter, or what there is, has changed. What was loaded stays
    /// in sight until its successor is there.
    pub(super) fn reload(self) {
        self.list.update_value(|list| *list += 1);
        self.awaited.set_value(HashSet::new());
        self.opened.set(None);
        self.anchor.set_value(None);
        spawn_local(self.load_shelf(0));
    }

    /// The picture at a place, if it is loaded.
    pub(super) fn picture(self, index: u32) -> Option<ImageDetails> {
        let shelves = self.shelves.read();
        shelves
            .get(&(index / SHELF))?
            .get((index % SHELF) as usize)
            .cloned()
    }

    /// Loads what has come in sight and stays there.
    pub(super) fn look_at(self, window: Range<u32>) {
        self.in_sight.set_value(window.clone());
        spawn_local(async move {
            TimeoutFuture::new(PAUSE_MS).await;
            if self.in_sight.try_get_value() != Some(window.clone()) || window.is_empty() {
                return;
            }
            for shelf in window.start / SHELF..=(window.end - 1) / SHELF {
                let loaded = self.shelves.read_untracked().contains_key(&shelf);
                if !loaded {
                    spawn_local(self.load_shelf(shelf));
                }
            }
        });
    }

    async fn load_shelf(self, shelf: u32) {
        // The page may be gone by now.
        let is_new = self
            .awaited
            .try_update_value(|awaited| awaited.insert(shelf));
        if is_new != Some(true) {
            return;
        }
        let asked_for = self.list.get_value();
        let filter = self.filter.get_untracked();
        let answer = client::images(&filter, shelf * SHELF, SHELF).await;
        if self.list.try_get_value() != Some(asked_for) {
            return;
        }
        self.awaited.update_value(|awaited| {
            awaited.remove(&shelf);
        });
        match answer {
            Ok(list) => self.place(shelf, list),
            Err(error) => self.requests.error.set(Some(error)),
        }
    }

    /// Puts what was loaded into its place.
    fn place(self, shelf: u32, list: ImageList) {
        self.requests.error.set(None);
        // Pictures came or went since the other shelves were filled, and stand elsewhere now.
        let is_another = self.total.get_untracked() != Some(list.total);
        let is_first = shelf == 0;
        let is_new = is_another || is_first;
        self.shelves.update(|shelves| {
            if is_new {
                shelves.clear();
            }
            shelves.insert(shelf, list.images);
        });
        if is_new {
            self.total.set(Some(list.total));
            self.look_at(self.in_sight.get_value());
        }
    }

    /// Selects a picture or takes it out; with `range` all since the last one.
    pub(super) fn select(self, index: u32, range: bool) {
        let Some(picture) = self.picture(index) else {
            return;
        };
        let anchor = self.anchor.get_value().filter(|_| range);
        self.anchor.set_value(Some(index));
        let Some(anchor) = anchor else {
            self.selected.update(|selected| {
                if !selected.remove(&picture.image.id) {
                    selected.insert(picture.image.id);
                }
            });
            return;
        };
        // Not all of them need be loaded.
        self.send(
            ids_that_fit(self.filter.get_untracked()),
            move |ids: Vec<ImageId>| {
                let (from, to) = (anchor.min(index) as usize, anchor.max(index) as usize);
                let between = ids.into_iter().skip(from).take(to - from + 1);
                self.selected.update(|selected| selected.extend(between));
            },
        );
    }

    pub(super) fn select_all(self) {
        self.send(ids_that_fit(self.filter.get_untracked()), move |ids| {
            self.selected.set(ids.into_iter().collect());
        });
    }

    pub(super) fn select_none(self) {
        self.selected.set(HashSet::new());
    }

    /// Downloads what is selected.
    pub(super) fn download(self) {
        let ids = self.selected_ids();
        self.send(client::archive_images(ids), |url: String| follow(&url));
    }

    /// Deletes what is selected.
    pub(super) fn delete_selected(self) {
        let ids = self.selected_ids();
        let words = crate::format::count(ids.len() as u64, "picture", "pictures");
        self.send(client::delete_images(ids), move |()| {
            self.told.set(format!("{words} deleted."));
            self.select_none();
            self.reload();
        });
    }

    fn selected_ids(self) -> Vec<ImageId> {
        self.selected.get_untracked().into_iter().collect()
    }

    /// The picture on show.
    pub(super) fn shown(self) -> Option<ImageDetails> {
        self.opened.get().and_then(|index| self.picture(index))
    }

    pub(super) fn open(self, index: u32) {
        if self.picture(index).is_some() {
            self.view_error.set(None);
            self.opened.set(Some(index));
        }
    }

    pub(super) fn close(self) {
        self.opened.set(None);
    }

    /// The place before that of the picture on show, or the one behind it.
    pub(super) fn neighbour(self, earlier: bool) -> Option<u32> {
        let index = self.opened.get()?;
        if earlier {
            index.checked_sub(1)
        } else {
            Some(index + 1).filter(|to| Some(*to) < self.total.get())
        }
    }

    /// Shows the picture before the one on show, or the one behind it.
    pub(super) fn turn(self, earlier: bool) {
        let index = self.opened.get_untracked();
        let Some(to) = untrack(|| self.neighbour(earlier)) else {
            return;
        };
        spawn_local(async move {
            if self.picture(to).is_none() {
                self.load_shelf(to / SHELF).await;
            }
            // Closed, or turned further, in the meantime.
            if self.opened.try_get_untracked() == Some(index) {
                self.open(to);
            }
        });
    }

    /// Marks the picture on show, or takes the mark off.
    pub(super) fn mark(self, favourite: bool) {
        let Some(index) = self.opened.get_untracked() else {
            return;
        };
        let Some(picture) = self.picture(index) else {
            return;
        };
        self.view_error.set(None);
        spawn_local(async move {
            match client::mark_favourite(&picture.image.id, favourite).await {
                Ok(marked) => {
                    self.shelves.try_update(|shelves| {
                        let shelf = shelves.get_mut(&(index / SHELF));
                        let place = shelf.and_then(|shelf| shelf.get_mut((index % SHELF) as usize));
                        if let Some(place) = place
                            && place.image.id == marked.image.id
                        {
                            *place = marked;
                        }
                    });
                }
                Err(error) => {
                    self.view_error.try_set(Some(error));
                }
            }
        });
    }

    /// Deletes the picture on show.
    pub(super) fn delete_shown(self) {
        let Some(picture) = self.shown() else { return };
        let id = picture.image.id;
        self.view_error.set(None);
        spawn_local(async move {
            match client::delete_images(vec![id.clone()]).await {
                Ok(()) => {
                    // The page may be gone meanwhile.
                    let known = self.selected.try_update(|selected| selected.remove(&id));
                    if known.is_some() {
                        self.told.set("1 picture deleted.".into());
                        self.reload();
                    }
                }
                Err(error) => {
                    self.view_error.try_set(Some(error));
                }
            }
        });
    }

    /// Sends a request about what is selected, one at a time.
    fn send<T: 'static>(
        self,
        request: impl Future<Output = Answer<T>> + 'static,
        then: impl FnOnce(T) + 'static,
    ) {
        self.told.set(String::new());
        self.requests.send(request, then);
    }
}

async fn ids_that_fit(filter: ImageFilter) -> Answer<Vec<ImageId>> {
    client::image_ids(&filter).await
}

async fn read_profiles() -> Answer<Vec<Profile>> {
    client::start_session().await?;
    client::profiles().await
}

/// Downloads what is at an address of this server, which names the file.
fn follow(url: &str) {
    let link = document().create_element("a").ok();
    if let Some(link) = link.and_then(|link| link.dyn_into::<HtmlAnchorElement>().ok()) {
        link.set_href(url);
        link.set_download("");
        link.click();
    }
}
