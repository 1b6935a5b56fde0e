//! The picture while it comes into being, and when it is there.

use crate::client::ClientError;
use crate::components::notice::Notice;
use crate::drawing::{Drawing, Picture};
use crate::format;
use leptos::html::Section;
use leptos::prelude::*;
use predilect_api::{GenerationState, Image};
use web_sys::{ScrollBehavior, ScrollIntoViewOptions, ScrollLogicalPosition};

/// Shows a drawing with its progress, "Cancel" while it runs and "Download" afterwards.
#[component]
pub(crate) fn Easel(
    /// What to show; `None` before the first.
    #[prop(into)]
    drawing: Signal<Option<Drawing>>,
    /// Why cancelling failed.
    #[prop(into)]
    error: Signal<Option<ClientError>>,
    /// How many other generations of the person are unfinished.
    #[prop(into)]
    others: Signal<usize>,
    /// Hears that the drawing is to stop.
    on_cancel: Callback<()>,
    /// Hears that all are to stop.
    on_cancel_all: Callback<()>,
) -> impl IntoView {
    // Kept apart, so that a step changes only what it says something about.
    let pictures = Memo::new(move |_| {
        drawing
            .get()
            .map_or_else(|| vec![Picture::Blank], |drawing| drawing.pictures())
    });
    let count = Memo::new(move |_| pictures.read().len());
    let prompt = Memo::new(move |_| {
        drawing
            .get()
            .map(|drawing| drawing.generation.prompt)
            .unwrap_or_default()
    });
    let running = Memo::new(move |_| drawing.get().is_some_and(|drawing| !drawing.is_final()));
    let phase = Memo::new(move |_| {
        drawing
            .get()
            .map(|drawing| drawing.phase())
            .unwrap_or_default()
    });
    let read = Memo::new(move |_| {
        drawing
            .get()
            .and_then(|drawing| drawing.generation.prompt_read)
    });
    let place = NodeRef::<Section>::new();
    // On a phone the picture comes into being below the form.
    Effect::new(move |was_running: Option<bool>| {
        let is_running = running.get();
        if is_running
            && was_running == Some(false)
            && let Some(section) = place.get_untracked()
        {
            let nearest = ScrollIntoViewOptions::new();
            nearest.set_block(ScrollLogicalPosition::Nearest);
            nearest.set_behavior(ScrollBehavior::Smooth);
            section.scroll_into_view_with_scroll_into_view_options(&nearest);
        }
        is_running
    });
    let failed = Memo::new(move |_| {
        drawing
            .get()
            .is_some_and(|d| d.generation.state == GenerationState::Failed)
    });
    let frame = move |index: usize| {
        let picture = Memo::new(move |_| {
            pictures
                .read()
                .get(index)
                .cloned()
                .unwrap_or(Picture::Blank)
        });
        view! { <Frame picture=picture prompt=prompt running=running /> }
    };
    view! {
        <section node_ref=place class="easel" aria-label="Picture">
            <div class="easel-frames panel" class:many=move || { count.get() > 1 }>
                {move || (0..count.get()).map(frame).collect_view()}
            </div>
            <Progress drawing=drawing />
            <div class="easel-foot">
                <p class="easel-status" class:failed=failed>
                    {move || drawing.get().map_or_else(|| "Nothing drawn yet".into(), |drawing| drawing.status())}
                </p>
                <div class="easel-actions">
                    <Show when=move || running.get()>
                        <button type="button" class="button" on:click=move |_| on_cancel.run(())>
                            "Cancel"
                        </button>
                    </Show>
                    {move || {
                        pictures
                            .get()
                            .into_iter()
                            .filter_map(|picture| match picture {
                                Picture::Finished(image) => Some(view! { <Download image=image /> }),
                                Picture::Blank | Picture::Preview(_) => None,
                            })
                            .collect_view()
                    }}
                </div>
            </div>
            <Show when=move || { others.get() > 0 }>
                <div class="easel-others">
                    <p class="quiet">
                        {move || {
                            let others = others.get() as u64;
                            format!("Unfinished besides: {}", format::count(others, "generation", "generations"))
                        }}
                    </p>
                    <button type="button" class="button plain" on:click=move |_| on_cancel_all.run(())>
                        "Cancel all"
                    </button>
                </div>
            </Show>
            {move || {
                read.get()
                    .map(|read| {
                        view! {
                            <p class="quiet">"The model reads only the beginning of a prompt this long: “" {read} "”"</p>
                        }
                    })
            }}
            <Notice message=Signal::derive(move || error.get().map(|error| error.sentence())) />
            <p class="sr-only" role="status">
                {phase}
            </p>
        </section>
    }
}

/// One picture in its frame.
#[component]
fn Frame(
    #[prop(into)] picture: Signal<Picture>,
    #[prop(into)] prompt: Signal<String>,
    /// Whether the picture is still to come.
    #[prop(into)]
    running: Signal<bool>,
) -> impl IntoView {
    // The same element from the first preview to the finished picture: nothing flickers.
    let source = Memo::new(move |_| match picture.get() {
        Picture::Blank => None,
        Picture::Preview(url) => Some((url, true)),
        Picture::Finished(image) => Some((image.url, false)),
    });
    let shown = Memo::new(move |_| source.read().is_some());
    let alt = move || match source.get() {
        Some((_, true)) => format!("Preview: {}", prompt.get()),
        _ => prompt.get(),
    };
    view! {
        <div class="easel-mat" class:empty=move || !shown.get() class:coming=running>
            <Show when=move || shown.get() fallback=Blank>
                <img
                    src=move || source.get().map(|(url, _)| url)
                    alt=alt
                    class:preview=move || source.get().is_some_and(|(_, preview)| preview)
                    width="128"
                    height="128"
                />
            </Show>
        </div>
    }
}

/// What stands in a frame before there is a picture.
#[component]
fn Blank() -> impl IntoView {
    view! {
        <svg class="easel-blank" viewBox="0 0 32 32" aria-hidden="true" focusable="false">
            <rect x="2.5" y="9" width="16.5" height="16.5" rx="5" transform="rotate(-8 11 17)" />
            <rect x="12" y="6" width="18" height="18" rx="5.5" transform="rotate(6 21 15)" />
        </svg>
    }
}

#[component]
fn Progress(#[prop(into)] drawing: Signal<Option<Drawing>>) -> impl IntoView {
    let steps = Memo::new(move |_| {
        let drawing = drawing.get().filter(|drawing| !drawing.is_final())?;
        Some(drawing.step.unwrap_or((0, drawing.generation.steps)))
    });
    view! {
        <progress
            class="easel-progress"
            class:idle=move || steps.get().is_none()
            aria-label="Steps drawn"
            max=move || steps.get().map_or(1, |(_, all)| all)
            value=move || steps.get().map_or(0, |(done, _)| done)
        ></progress>
    }
}

/// Saves the picture; the server names the file.
#[component]
fn Download(image: Image) -> impl IntoView {
    view! {
        <a class="button primary" href=image.url download="">
            "Download"
        </a>
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drawing::tests::{finished, queued, step};
    use predilect_api::GenerationEvent;

    fn easel(events: Vec<GenerationEvent>) -> String {
        let mut drawing = Drawing::new(queued());
        events.into_iter().for_each(|event| drawing.apply(event));
        shown(drawing, 0)
    }

    fn shown(drawing: Drawing, others: usize) -> String {
        let nothing = Callback::new(|()| ());
        view! {
            <Easel
                drawing=Some(drawing)
                error={None::<ClientError>}
                others=others
                on_cancel=nothing
                on_cancel_all=nothing
            />
        }
        .to_html()
    }

    #[test]
    fn all_can_be_cancelled_where_there_are_others() {
        let html = shown(Drawing::new(queued()), 2);
        for expected in ["Unfinished besides: 2 generations", "Cancel all"] {
            assert!(html.contains(expected), "{expected} in {html}");
        }
        assert!(!shown(Drawing::new(queued()), 0).contains("Cancel all"));
    }

    #[test]
    fn a_running_drawing_shows_its_preview_and_can_be_cancelled() {
        let html = easel(vec![step(5)]);
        for expected in [
            "data:5",
            "Preview: a red fox",
            "Step 5 of 20",
            "Cancel",
            "value=\"5\"",
            "max=\"20\"",
        ] {
            assert!(html.contains(expected), "{expected} in {html}");
        }
        assert!(!html.contains("Download"));
    }

    #[test]
    fn what_is_left_of_a_long_prompt_is_said() {
        let easel = |prompt_read: Option<&str>| {
            let mut drawing = Drawing::new(queued());
            drawing.generation.prompt_read = prompt_read.map(Into::into);
            shown(drawing, 0)
        };
        assert!(!easel(None).contains("only the beginning"));
        let html = easel(Some("a red"));
        assert!(
            html.contains("only the beginning") && html.contains("a red"),
            "{html}"
        );
    }

    #[test]
    fn a_finished_drawing_can_be_downloaded() {
        let html = easel(vec![
            step(20),
            GenerationEvent::Image { image: finished() },
            GenerationEvent::Done,
        ]);
        for expected in [
            "/api/v1/images/i",
            "alt=\"a red fox\"",
            "Download",
            "Finished",
        ] {
            assert!(html.contains(expected), "{expected} in {html}");
        }
        assert!(!html.contains("Cancel"));
    }
}
