//! Two pictures to choose between.

use leptos::prelude::*;

/// One of the two pictures, and its button.
pub(crate) struct PairSide<V> {
    /// Where the picture is.
    pub(crate) url: Signal<String>,
    /// The button's words.
    pub(crate) label: &'static str,
    /// What a press on it means.
    pub(crate) verdict: V,
}

/// Both pictures of a pair, each with its button. A press anywhere on a picture counts as a
/// press on its button. The next pair takes the place of the pictures alone, so that focus
/// stays on the button it is on.
#[component]
pub(crate) fn PairPictures<V>(
    /// What both were drawn from; all that their alt texts tell.
    #[prop(into)]
    prompt: Signal<String>,
    /// The left picture.
    left: PairSide<V>,
    /// The right picture.
    right: PairSide<V>,
    /// The verdict just given, while the next pair is fetched.
    #[prop(into)]
    picked: Signal<Option<V>>,
    /// Hears which one is preferred.
    on_choose: Callback<V>,
) -> impl IntoView
where
    V: Copy + PartialEq + Send + Sync + 'static,
{
    let side = move |side: PairSide<V>, place: &'static str, key: &'static str| {
        let PairSide {
            url,
            label,
            verdict,
        } = side;
        let class = move || match picked.get() {
            Some(given) if given == verdict => "pair-side panel preferred",
            Some(_) => "pair-side panel passed",
            None => "pair-side panel",
        };
        let picture = move || {
            let alt = format!("{place} picture: {}", prompt.get());
            view! { <img src=url.get() alt=alt width="128" height="128" draggable="false" /> }
        };
        view! {
            <figure class=class>
                <div class="pair-mat">{picture}</div>
                <button type="button" class="button pair-button" on:click=move |_| on_choose.run(verdict)>
                    {label}
                </button>
                <kbd class="key pair-key" aria-hidden="true">
                    {key}
                </kbd>
            </figure>
        }
    };
    view! { <div class="pair">{side(left, "Left", "←")} {side(right, "Right", "→")}</div> }
}

#[cfg(test)]
mod tests {
    use super::*;
    use predilect_api::Choice;

    fn html(picked: Option<Choice>) -> String {
        let side = |url: &str, label, verdict| PairSide {
            url: Signal::stored(url.to_owned()),
            label,
            verdict,
        };
        view! {
            <PairPictures
                prompt="a red fox".to_owned()
                left=side("/l.webp", "Prefer left", Choice::Left)
                right=side("/r.webp", "Prefer right", Choice::Right)
                picked=picked
                on_choose=Callback::new(|_| ())
            />
        }
        .to_html()
    }

    #[test]
    fn both_sides_have_their_picture_alt_text_and_button() {
        let html = html(None);
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
        let html = html(Some(Choice::Right));
        assert_eq!(
            (
                html.matches("preferred").count(),
                html.matches("passed").count()
            ),
            (1, 1)
        );
    }
}
