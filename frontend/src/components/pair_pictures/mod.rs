//! Two pictures to choose between.

use leptos::prelude::*;
use predilect_api::{Choice, Pair};

/// Both pictures of a pair, each with its button. A press anywhere on a picture counts as a
/// press on its button.
#[component]
pub(crate) fn PairPictures(
    /// What to choose between.
    pair: Pair,
    /// The choice just made, while the next pair is fetched.
    #[prop(into)]
    picked: Signal<Option<Choice>>,
    /// Hears which one is preferred.
    on_choose: Callback<Choice>,
) -> impl IntoView {
    let side = move |choice: Choice,
                     url: String,
                     alt: String,
                     label: &'static str,
                     key: &'static str| {
        let class = move || match picked.get() {
            Some(made) if made == choice => "pair-side panel preferred",
            Some(_) => "pair-side panel passed",
            None => "pair-side panel",
        };
        view! {
            <figure class=class>
                <div class="pair-mat">
                    <img src=url alt=alt width="128" height="128" draggable="false" />
                </div>
                <button type="button" class="button pair-button" on:click=move |_| on_choose.run(choice)>
                    {label}
                </button>
                <kbd class="key pair-key" aria-hidden="true">
                    {key}
                </kbd>
            </figure>
        }
    };
    let (left_alt, right_alt) = (
        format!("Left picture: {}", pair.prompt),
        format!("Right picture: {}", pair.prompt),
    );
    view! {
        <div class="pair">
            {side(Choice::Left, pair.left, left_alt, "Prefer left", "←")}
            {side(Choice::Right, pair.right, right_alt, "Prefer right", "→")}
        </div>
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use predilect_api::PairId;

    fn pair() -> Pair {
        Pair {
            id: PairId("p".into()),
            prompt: "a red fox".into(),
            left: "/l.webp".into(),
            right: "/r.webp".into(),
            position: 1,
            needed: 4,
        }
    }

    #[test]
    fn both_sides_have_their_picture_alt_text_and_button() {
        let html = view! { <PairPictures pair=pair() picked={None::<Choice>} on_choose=Callback::new(|_| ()) /> }.to_html();
        for expected in [
            "/l.webp",
            "/r.webp",
            "Left picture: a red fox",
            "Right picture: a red fox",
            "Prefer left",
            "Prefer right",
        ] {
            assert!(html.contains(expected), "{expected} in {html}");
        }
    }

    #[test]
    fn the_picked_side_is_marked() {
        let html = view! { <PairPictures pair=pair() picked=Some(Choice::Right) on_choose=Callback::new(|_| ()) /> }
            .to_html();
        assert_eq!(
            (
                html.matches("preferred").count(),
                html.matches("passed").count()
            ),
            (1, 1)
        );
    }
}
