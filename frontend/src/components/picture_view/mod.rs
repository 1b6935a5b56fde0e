//! One picture, large, with everything that it takes to draw it again.

use crate::components::confirm::Confirm;
use crate::components::notice::Notice;
use crate::{date, format};
use leptos::ev::KeyboardEvent;
use leptos::html::Dialog;
use leptos::prelude::*;
use predilect_api::ImageDetails;

/// A dialog over the page; the browser keeps the focus in it and gives it back afterwards.
#[component]
pub(crate) fn PictureView(
    /// What is shown; closed while it is `None`.
    #[prop(into)]
    picture: Signal<Option<ImageDetails>>,
    /// What went wrong with it.
    #[prop(into)]
    error: Signal<Option<String>>,
    /// Hears that it is closed.
    on_close: Callback<()>,
    /// Whether there is one before it (true) or behind it.
    can_turn: Callback<bool, bool>,
    /// Hears that the one before it (true) or behind it is wanted.
    on_turn: Callback<bool>,
    /// Hears whether it is to be a favourite.
    on_favourite: Callback<bool>,
    /// Hears that it is to be deleted.
    on_delete: Callback<()>,
) -> impl IntoView {
    let dialog = NodeRef::<Dialog>::new();
    let is_open = Memo::new(move |_| picture.read().is_some());
    Effect::new(move || {
        let Some(dialog) = dialog.get() else { return };
        if is_open.get() && !dialog.open() {
            // Fails only for a dialog that is open or outside the document.
            let _ = dialog.show_modal();
        } else if !is_open.get() {
            dialog.close();
        }
    });
    let on_key = move |event: KeyboardEvent| {
        let earlier = match event.key().as_str() {
            "ArrowLeft" => true,
            "ArrowRight" => false,
            _ => return,
        };
        event.prevent_default();
        on_turn.run(earlier);
    };
    // The buttons stay while one turns from picture to picture; so does the focus.
    let of = move |part: fn(ImageDetails) -> String| {
        Memo::new(move |_| picture.get().map(part).unwrap_or_default())
    };
    let id = of(|details| details.image.id.0);
    let prompt = of(|details| details.prompt);
    let url = of(|details| details.image.url);
    let again = of(|details| format!("/create?from={}", details.image.id));
    let favourite = Memo::new(move |_| {
        let picture = picture.read();
        picture
            .as_ref()
            .is_some_and(|details| details.image.favourite)
    });
    let cannot_turn = move |earlier| move || (!can_turn.run(earlier)).to_string();
    // Made anew with each picture: a question about one must not delete another.
    let delete = move || {
        id.track();
        view! {
            <Confirm
                label="Delete"
                name="Delete this picture"
                question="Delete this picture for good? Its file and how it was drawn are deleted, and nobody can \
                bring them back."
                yes="Yes, delete"
                on_yes=on_delete
            />
        }
    };
    view! {
        <dialog
            node_ref=dialog
            class="picture-view"
            aria-labelledby="picture-view-title"
            on:close=move |_| {
                if is_open.get_untracked() {
                    on_close.run(());
                }
            }
            on:keydown=on_key
        >
            <Show when=move || is_open.get()>
                <div class="picture-view-bar">
                    <button
                        type="button"
                        class="button plain"
                        aria-label="Previous picture"
                        aria-disabled=cannot_turn(true)
                        on:click=move |_| on_turn.run(true)
                    >
                        <span aria-hidden="true">"←"</span>
                    </button>
                    <button
                        type="button"
                        class="button plain"
                        aria-label="Next picture"
                        aria-disabled=cannot_turn(false)
                        on:click=move |_| on_turn.run(false)
                    >
                        <span aria-hidden="true">"→"</span>
                    </button>
                    <button type="button" class="button" on:click=move |_| on_close.run(())>
                        "Close"
                    </button>
                </div>
                <div class="picture-view-room">
                    <div class="picture-view-mat">
                        <img src=url alt=prompt width="128" height="128" />
                    </div>
                    <div class="picture-view-side">
                        <h2 id="picture-view-title" class="picture-view-title">
                            {prompt}
                        </h2>
                        {move || picture.get().map(|details| view! { <Settings details=details /> })}
                        <div class="picture-view-actions">
                            <a class="button primary" href=again>
                                "Use these settings"
                            </a>
                            <a class="button" href=url download="">
                                "Download"
                            </a>
                            <button
                                type="button"
                                class="button"
                                aria-pressed=move || favourite.get().to_string()
                                on:click=move |_| on_favourite.run(!favourite.get_untracked())
                            >
                                <span aria-hidden="true">{move || if favourite.get() { "★" } else { "☆" }}</span>
                                "Favourite"
                            </button>
                            {delete}
                        </div>
                        <Notice message=error />
                    </div>
                </div>
            </Show>
        </dialog>
    }
}

/// All that it takes to draw the picture again, besides the prompt.
#[component]
fn Settings(details: ImageDetails) -> impl IntoView {
    let mut rows = vec![("Profile", format::blend(&details.profiles))];
    if !details.profiles.is_empty() {
        rows.push(("Strength", details.strength.to_string()));
    }
    rows.extend([
        ("Seed", details.image.seed.to_string()),
        ("Steps", details.steps.to_string()),
        ("Guidance", details.guidance.to_string()),
        (
            "Size",
            format!("{} × {} pixels", details.image.width, details.image.height),
        ),
        ("Drawn", date::day(&details.created_at).to_owned()),
    ]);
    rows.extend(details.model_hash.map(|hash| ("Model", hash)));
    rows.extend(details.prompt_read.map(|read| ("Read of the prompt", read)));
    let rows = rows.into_iter().map(|(name, value)| {
        view! {
            <div>
                <dt>{name}</dt>
                <dd>{value}</dd>
            </div>
        }
    });
    view! { <dl class="picture-view-settings">{rows.collect_view()}</dl> }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::components::picture_grid::tests::fox;

    fn shown(picture: Option<ImageDetails>) -> String {
        view! {
            <PictureView
                picture=picture
                error={None::<String>}
                on_close=Callback::new(|()| ())
                can_turn=Callback::new(|earlier| earlier)
                on_turn=Callback::new(|_| ())
                on_favourite=Callback::new(|_| ())
                on_delete=Callback::new(|()| ())
            />
        }
        .to_html()
    }

    #[test]
    fn a_picture_shows_all_it_takes_to_draw_it_again() {
        let html = shown(Some(fox()));
        for expected in [
            "alt=\"a red fox\"",
            "30 % Ana, 70 % Bo",
            ">1.5<",
            ">7<",
            ">20<",
            ">4<",
            "0123456789abcdef",
            "href=\"/create?from=i\"",
            "href=\"/api/v1/images/i\"",
            "aria-pressed=\"true\"",
            "Delete this picture",
        ] {
            assert!(html.contains(expected), "{expected} in {html}");
        }
    }

    #[test]
    fn what_the_base_model_drew_has_no_strength() {
        let html = shown(Some(ImageDetails {
            profiles: vec![],
            ..fox()
        }));
        assert!(html.contains("No profile"), "{html}");
        assert!(!html.contains("Strength"), "{html}");
    }

    #[test]
    fn what_is_not_there_can_not_be_turned_to() {
        let html = shown(Some(fox()));
        let disabled = |name: &str| {
            let (_, button) = html.split_once(name).unwrap();
            let (_, value) = button.split_once("aria-disabled=\"").unwrap();
            value.starts_with("true")
        };
        assert!(!disabled("Previous picture"), "{html}");
        assert!(disabled("Next picture"), "{html}");
    }

    #[test]
    fn a_closed_view_is_empty() {
        assert!(!shown(None).contains("Download"));
    }
}
