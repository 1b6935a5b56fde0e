//! An address of this server, to be handed on.

use crate::clipboard;
use leptos::prelude::*;
use leptos::task::spawn_local;

/// A link with its whole address, and a button that copies it.
#[component]
pub(crate) fn CopyLink(
    /// The path, from its slash.
    path: String,
    /// What the button copies, where there are several.
    #[prop(into)]
    name: String,
) -> impl IntoView {
    let address = RwSignal::new(path.clone());
    let told = RwSignal::new("");
    Effect::new({
        let path = path.clone();
        move || {
            if let Ok(origin) = window().location().origin() {
                address.set(format!("{origin}{path}"));
            }
        }
    });
    let copy = move |_| {
        spawn_local(async move {
            told.try_set(if clipboard::copy(&address.get_untracked()).await {
                "Copied."
            } else {
                "This browser does not let the page copy. Select the link and copy it by hand."
            });
        });
    };
    view! {
        <div class="copy-link">
            <a href=path>{address}</a>
            <button type="button" class="button" aria-label=name on:click=copy>
                "Copy link"
            </button>
            <span class="copy-link-told" role="status">
                {told}
            </span>
        </div>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_link_can_be_followed_and_copied() {
        let html = view! { <CopyLink path="/surveys/s".to_owned() name="Copy link of Guidance" /> }
            .to_html();
        for expected in [
            "href=\"/surveys/s\"",
            "Copy link of Guidance",
            "role=\"status\"",
        ] {
            assert!(html.contains(expected), "{expected} in {html}");
        }
    }
}
