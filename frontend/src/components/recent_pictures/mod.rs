//! The person's newest pictures, to look at again.

use leptos::prelude::*;
use predilect_api::Generation;

const MOST: usize = 12;

/// A row of finished pictures; pressing one shows its generation again.
#[component]
pub(crate) fn RecentPictures(
    /// The person's generations, newest first.
    #[prop(into)]
    generations: Signal<Vec<Generation>>,
    /// Hears which one to show.
    on_show: Callback<Generation>,
) -> impl IntoView {
    let pictures = move || {
        let all = generations.get().into_iter();
        let pictures = all.filter_map(|generation| {
            generation
                .images
                .first()
                .cloned()
                .map(|image| (generation, image))
        });
        pictures
            .take(MOST)
            .map(|(generation, image)| {
                let prompt = generation.prompt.clone();
                let label = format!("Show again: {prompt}");
                view! {
                    <li>
                        <button
                            type="button"
                            class="recent-picture"
                            aria-label=label
                            title=prompt
                            on:click=move |_| on_show.run(generation.clone())
                        >
                            <img src=image.url alt="" width="128" height="128" loading="lazy" />
                        </button>
                    </li>
                }
            })
            .collect_view()
    };
    view! {
        <Show when=move || generations.read().iter().any(|generation| !generation.images.is_empty())>
            <section class="recent" aria-labelledby="recent-title">
                <h2 id="recent-title" class="recent-title">
                    "Your pictures"
                </h2>
                <ul class="recent-list">{pictures}</ul>
            </section>
        </Show>
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drawing::tests::{finished, queued};

    #[test]
    fn only_generations_with_a_picture_are_shown() {
        let done = Generation {
            images: vec![finished()],
            ..queued()
        };
        let html = view! {
            <RecentPictures generations=vec![queued(), done] on_show=Callback::new(|_| ()) />
        }
        .to_html();
        assert_eq!(html.matches("<img").count(), 1, "{html}");
        let none =
            view! { <RecentPictures generations=vec![queued()] on_show=Callback::new(|_| ()) /> }
                .to_html();
        assert!(!none.contains("Your pictures"));
    }
}
