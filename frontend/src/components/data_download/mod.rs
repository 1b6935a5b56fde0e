//! Everything that is a person's, to take away.

use crate::client;
use crate::components::form::Submission;
use crate::components::notice::Notice;
use leptos::html::A;
use leptos::prelude::*;

/// "Download my data".
#[component]
pub(crate) fn DataDownload() -> impl IntoView {
    let submission = Submission::new(&[]);
    let link = NodeRef::<A>::new();
    let answered = StoredValue::new(false);
    // A browser says little of a download that fails, so the page asks first whether the
    // server still answers this person, and only then follows the link.
    let check = move |event: leptos::ev::MouseEvent| {
        if answered.get_value() {
            answered.set_value(false);
            return;
        }
        event.prevent_default();
        submission.send(client::account(), move |_| {
            if let Some(link) = link.get_untracked() {
                answered.set_value(true);
                link.click();
            }
        });
    };
    view! {
        <div>
            <a
                class="button"
                href=client::DATA
                download=""
                node_ref=link
                aria-disabled=move || submission.is_busy().to_string()
                on:click=check
            >
                "Download my data"
            </a>
        </div>
        <Notice message=Signal::derive(move || submission.beyond()) />
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_a_link_to_the_archive() {
        let html = view! { <DataDownload /> }.to_html();
        for expected in [
            "href=\"/api/v1/account/data\"",
            "download",
            "Download my data",
        ] {
            assert!(html.contains(expected), "{expected} in {html}");
        }
    }
}
