//! Very many pictures, of which the page holds those in sight.

mod layout;

use crate::focus::{first_in, focus_next, keep_focus};
use layout::Layout;
use leptos::ev::{self, KeyboardEvent, MouseEvent};
use leptos::html::Ul;
use leptos::prelude::*;
use predilect_api::{ImageDetails, ImageId};
use std::collections::HashSet;
use std::ops::Range;
use web_sys::HtmlInputElement;

/// Pictures that are loaded and drawn as one scrolls to them. Tab comes to one picture, the
/// arrow keys move on from it; Enter opens it and Space selects it.
#[component]
pub(crate) fn PictureGrid(
    /// How many there are.
    #[prop(into)]
    total: Signal<u32>,
    /// A picture by its place; `None` until it is loaded.
    picture: Callback<u32, Option<ImageDetails>>,
    /// Those selected.
    #[prop(into)]
    selected: Signal<HashSet<ImageId>>,
    /// Hears which ones are in sight, or nearly.
    on_window: Callback<Range<u32>>,
    /// Hears which one to open.
    on_open: Callback<u32>,
    /// Hears which one to select or not any more, and whether with all since the last one.
    on_select: Callback<(u32, bool)>,
) -> impl IntoView {
    let list = NodeRef::<Ul>::new();
    let layout = RwSignal::new(Layout::of(288.0));
    let window = RwSignal::new(0_u32..0);
    // The one that Tab comes to.
    let current = RwSignal::new(0_u32);
    let look = move || {
        let Some(list) = list.get_untracked() else {
            return;
        };
        let rect = list.get_bounding_client_rect();
        let height = leptos::prelude::window().inner_height().ok();
        let height = height.and_then(|height| height.as_f64()).unwrap_or(0.0);
        let now = Layout::of(rect.width());
        if layout.get_untracked() != now {
            layout.set(now);
        }
        let seen = now.window(total.get_untracked(), -rect.top(), height);
        if window.get_untracked() != seen {
            keep_focus(&list);
            window.set(seen.clone());
            on_window.run(seen);
        }
    };
    Effect::new(move || {
        let total = total.get();
        if current.get_untracked() >= total {
            current.set(total.saturating_sub(1));
        }
        // Anew, also where the same places are in sight: other pictures are at them.
        window.set(0..0);
        request_animation_frame(look);
    });
    Effect::new(move || {
        let scroll = window_event_listener(ev::scroll, move |_| look());
        let resize = window_event_listener(ev::resize, move |_| look());
        on_cleanup(move || {
            scroll.remove();
            resize.remove();
        });
    });
    // What has the focus stays in the page when it is scrolled out of sight.
    let shown = Memo::new(move |_| {
        let (window, current, total) = (window.get(), current.get(), total.get());
        let mut shown: Vec<u32> = window.clone().filter(|index| *index < total).collect();
        if current < total && !window.contains(&current) {
            let at = if current < window.start {
                0
            } else {
                shown.len()
            };
            shown.insert(at, current);
        }
        shown
    });
    let go_to = move |index: u32| {
        current.set(index);
        focus_next(move || {
            let list = list.try_get_untracked().flatten()?;
            first_in(&list, &format!("[data-place=\"{index}\"]"))
        });
    };
    let on_key = move |event: KeyboardEvent| {
        if event.ctrl_key() || event.alt_key() || event.meta_key() {
            return;
        }
        let (key, at) = (event.key(), current.get_untracked());
        let step = layout.get_untracked().step(at, &key, total.get_untracked());
        if let Some(to) = step {
            event.prevent_default();
            go_to(to);
        } else if key == " " {
            event.prevent_default();
            on_select.run((at, event.shift_key()));
        }
    };
    let cell = move |index: u32| {
        view! {
            <Cell
                index=index
                total=total
                layout=layout
                current=current
                picture=picture
                selected=selected
                on_open=on_open
                on_select=on_select
            />
        }
    };
    view! {
        <ul
            node_ref=list
            class="picture-grid"
            aria-label="Pictures"
            style:height=move || format!("{}px", layout.get().height(total.get()))
            on:keydown=on_key
        >
            <For each=move || shown.get() key=|index| *index children=cell />
        </ul>
    }
}

/// One picture in the grid, with what selects it.
#[component]
fn Cell(
    index: u32,
    #[prop(into)] total: Signal<u32>,
    #[prop(into)] layout: Signal<Layout>,
    current: RwSignal<u32>,
    picture: Callback<u32, Option<ImageDetails>>,
    #[prop(into)] selected: Signal<HashSet<ImageId>>,
    on_open: Callback<u32>,
    on_select: Callback<(u32, bool)>,
) -> impl IntoView {
    let picture = Memo::new(move |_| picture.run(index));
    let is_selected = Memo::new(move |_| {
        let picture = picture.read();
        let image = picture.as_ref().map(|details| &details.image.id);
        image.is_some_and(|id| selected.read().contains(id))
    });
    let tab = move || if current.get() == index { "0" } else { "-1" };
    let px = |value: f64| format!("{value}px");
    let name = move || match picture.get() {
        Some(details) if details.image.favourite => format!("{}, favourite", details.prompt),
        Some(details) => details.prompt,
        None => format!("Loading picture {}", index + 1),
    };
    let look = move || {
        picture.get().map(|details| {
            let thumbnail = format!("{}?format=thumbnail", details.image.url);
            let mark = details.image.favourite;
            view! {
                <img src=thumbnail alt="" width="128" height="128" loading="lazy" decoding="async" draggable="false" />
                {mark.then(|| view! { <span class="picture-mark" aria-hidden="true">"★"</span> })}
            }
        })
    };
    let choose = move || {
        picture.get().map(|details| {
            let label = format!("Select {}", details.prompt);
            view! {
                <label class="picture-select">
                    <input
                        type="checkbox"
                        aria-label=label
                        tabindex=tab
                        prop:checked=is_selected
                        on:focus=move |_| current.set(index)
                        on:keydown=|event| {
                            if event.key() == " " {
                                event.stop_propagation();
                            }
                        }
                        on:click=move |event: MouseEvent| {
                            on_select.run((index, event.shift_key()));
                            // Ticked is what is selected, whatever the browser made of the click.
                            let input: HtmlInputElement = event_target(&event);
                            input.set_checked(is_selected.get_untracked());
                        }
                    />
                </label>
            }
        })
    };
    // As in a file manager: with Shift or Ctrl a click selects.
    let press = move |event: MouseEvent| {
        if event.shift_key() || event.ctrl_key() || event.meta_key() {
            on_select.run((index, event.shift_key()));
        } else {
            on_open.run(index);
        }
    };
    view! {
        <li
            class="picture-cell"
            class:selected=is_selected
            aria-setsize=move || total.get().to_string()
            aria-posinset=(index + 1).to_string()
            style:left=move || px(layout.get().place(index).0)
            style:top=move || px(layout.get().place(index).1)
            style:width=move || px(layout.get().side)
            style:height=move || px(layout.get().side)
        >
            <button
                type="button"
                class="picture-open"
                data-place=index.to_string()
                tabindex=tab
                aria-label=name
                title=move || picture.get().map(|details| details.prompt)
                on:focus=move |_| current.set(index)
                on:click=press
            >
                {look}
            </button>
            {choose}
        </li>
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::drawing::tests::finished;
    use predilect_api::{BlendedProfile, GenerationId, ProfileId};

    /// A favourite picture of a red fox, drawn for two profiles.
    pub(crate) fn fox() -> ImageDetails {
        let part = |id: &str, name: &str, weight| BlendedProfile {
            id: ProfileId(id.into()),
            name: name.into(),
            weight,
        };
        ImageDetails {
            image: predilect_api::Image {
                favourite: true,
                ..finished()
            },
            generation_id: GenerationId("g".into()),
            prompt: "a red fox".into(),
            prompt_read: None,
            steps: 20,
            guidance: 4.0,
            strength: 1.5,
            profiles: vec![part("a", "Ana", 0.3), part("b", "Bo", 0.7)],
            model_hash: Some("0123456789abcdef".into()),
            created_at: "2026-11-23T00:00:00Z".into(),
        }
    }

    fn cell(picture: Option<ImageDetails>) -> String {
        let selected = picture.iter().map(|details| details.image.id.clone());
        let selected: HashSet<_> = selected.collect();
        view! {
            <Cell
                index=4
                total=10_000_u32
                layout=Layout::of(288.0)
                current=RwSignal::new(4)
                picture=Callback::new(move |_| picture.clone())
                selected=selected
                on_open=Callback::new(|_| ())
                on_select=Callback::new(|_| ())
            />
        }
        .to_html()
    }

    #[test]
    fn a_picture_is_opened_and_selected_by_name() {
        let html = cell(Some(fox()));
        for expected in [
            "aria-label=\"a red fox, favourite\"",
            "aria-label=\"Select a red fox\"",
            "/api/v1/images/i?format=thumbnail",
            "loading=\"lazy\"",
            "aria-setsize=\"10000\"",
            "aria-posinset=\"5\"",
            "tabindex=\"0\"",
        ] {
            assert!(html.contains(expected), "{expected} in {html}");
        }
    }

    #[test]
    fn a_picture_that_is_still_loaded_says_so() {
        let html = cell(None);
        assert!(html.contains("Loading picture 5"), "{html}");
        assert!(
            !html.contains("<img") && !html.contains("checkbox"),
            "{html}"
        );
    }
}
