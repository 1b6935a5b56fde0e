//! A page's title: in the document, in the browser's tab, and first in the order of focus.

use leptos::html::H1;
use leptos::prelude::*;

/// The page's heading. Coming from another page, focus moves to it, so that a screen reader
/// says where one is.
#[component]
pub(crate) fn PageHeading(
    /// Named in the browser's tab.
    tab: &'static str,
    /// The heading's words.
    #[prop(into)]
    text: Signal<String>,
    /// Where the heading is, for a page that takes the focus back to it.
    #[prop(optional)]
    heading: NodeRef<H1>,
) -> impl IntoView {
    let title = format!("{tab} · Predilect");
    Effect::new(move || {
        let Some(heading) = heading.get() else { return };
        let came_from_elsewhere = document().title() != "Predilect" && document().title() != title;
        document().set_title(&title);
        if came_from_elsewhere {
            // Fails only for an element outside the document.
            let _ = heading.focus();
        }
    });
    view! {
        <h1 node_ref=heading tabindex="-1">
            {text}
        </h1>
    }
}
