//! All of a person's pictures.

mod state;

use crate::components::gallery_filter::GalleryFilter;
use crate::components::notice::Notice;
use crate::components::page_heading::PageHeading;
use crate::components::picture_grid::PictureGrid;
use crate::components::picture_view::PictureView;
use crate::components::selection_bar::SelectionBar;
use crate::format;
use leptos::prelude::*;
use state::Browsing;

/// The page where pictures are found, opened, downloaded and deleted.
#[component]
pub(crate) fn Gallery() -> impl IntoView {
    let browsing = Browsing::new();
    Effect::new(move || browsing.start());
    Effect::new(move |asked_before: Option<()>| {
        browsing.filter.track();
        if asked_before.is_some() {
            browsing.select_none();
            browsing.reload();
        }
    });
    let total = Memo::new(move |_| browsing.total.get().unwrap_or(0));
    let words = move || match (browsing.total.get()?, browsing.filter.read().is_open()) {
        (0, true) => None,
        (0, false) => Some("No picture fits.".into()),
        (total, _) => Some(format::count(total, "picture", "pictures")),
    };
    let is_empty = move || browsing.total.get() == Some(0) && browsing.filter.read().is_open();
    view! {
        <div class="gallery">
            <PageHeading tab="Gallery" text="Your pictures".to_owned() />
            <Notice
                message=Signal::derive(move || browsing.requests.beyond())
                retry=Callback::new(move |()| browsing.start())
            />
            <GalleryFilter filter=browsing.filter profiles=browsing.profiles />
            <p class="quiet gallery-words" role="status">
                {move || match browsing.total.get() {
                    None => Some("Loading your pictures…".to_owned()),
                    Some(_) => words(),
                }}
            </p>
            <p class="sr-only" role="status">
                {browsing.told}
            </p>
            <Show when=is_empty>
                <div class="gallery-none">
                    <p>"You have no pictures yet. Say what to draw, and they are kept here."</p>
                    <a class="button primary" href="/create">
                        "Create"
                    </a>
                </div>
            </Show>
            <Show when=move || { total.get() > 0 }>
                <SelectionBar
                    selected=Signal::derive(move || browsing.selected.read().len())
                    busy=Signal::derive(move || browsing.requests.is_busy())
                    on_all=Callback::new(move |()| browsing.select_all())
                    on_none=Callback::new(move |()| browsing.select_none())
                    on_download=Callback::new(move |()| browsing.download())
                    on_delete=Callback::new(move |()| browsing.delete_selected())
                />
                <PictureGrid
                    total=total
                    picture=Callback::new(move |index| browsing.picture(index))
                    selected=browsing.selected
                    on_window=Callback::new(move |window| browsing.look_at(window))
                    on_open=Callback::new(move |index| browsing.open(index))
                    on_select=Callback::new(move |(index, range)| browsing.select(index, range))
                />
            </Show>
            <PictureView
                picture=Signal::derive(move || browsing.shown())
                error=Signal::derive(move || browsing.view_error.get().map(|error| error.sentence()))
                on_close=Callback::new(move |()| browsing.close())
                can_turn=Callback::new(move |earlier| browsing.neighbour(earlier).is_some())
                on_turn=Callback::new(move |earlier| browsing.turn(earlier))
                on_favourite=Callback::new(move |favourite| browsing.mark(favourite))
                on_delete=Callback::new(move |()| browsing.delete_shown())
            />
        </div>
    }
}
