//! The frame of a page for admins.

use crate::client::ClientError;
use crate::components::notice::Notice;
use crate::components::page_heading::PageHeading;
use leptos::prelude::*;

/// A heading, what went wrong, and the page; to whoever is no admin a sentence in its place.
#[component]
pub(crate) fn AdminRoom(
    /// Named in the browser's tab.
    tab: &'static str,
    /// The heading's words.
    #[prop(into)]
    heading: Signal<String>,
    /// Why the page could not be read.
    #[prop(into)]
    error: Signal<Option<ClientError>>,
    /// Hears that it is to be read again.
    retry: Callback<()>,
    /// The page.
    children: ChildrenFn,
) -> impl IntoView {
    let refused = Memo::new(move |_| {
        let error = error.read();
        error.as_ref().and_then(ClientError::kind) == Some("admins-only")
    });
    let text = Signal::derive(move || {
        if refused.get() {
            "For admins only".into()
        } else {
            heading.get()
        }
    });
    view! {
        <div class="admin-room">
            <PageHeading tab=tab text=text />
            <Show
                when=move || !refused.get()
                fallback=|| {
                    view! {
                        <p class="lede">
                            "This page is for admins of this server. Log in with an admin's account to see it."
                        </p>
                    }
                }
            >
                <Notice message=Signal::derive(move || error.get().map(|error| error.sentence())) retry=retry />
                {children()}
            </Show>
        </div>
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use predilect_api::Problem;

    fn room(error: Option<ClientError>) -> String {
        view! {
            <AdminRoom tab="Surveys" heading="Surveys".to_owned() error=error retry=Callback::new(|()| ())>
                "everything"
            </AdminRoom>
        }
        .to_html()
    }

    #[test]
    fn who_is_no_admin_sees_a_sentence_and_nothing_else() {
        let refused = ClientError::Problem(Box::new(Problem {
            kind: "urn:predilect:problem:admins-only".into(),
            title: String::new(),
            status: 403,
            detail: String::new(),
            errors: vec![],
            missing: None,
        }));
        let html = room(Some(refused));
        assert!(html.contains("for admins of this server"), "{html}");
        for hidden in ["everything", "Try again", "Surveys"] {
            assert!(!html.contains(hidden), "{hidden} in {html}");
        }
    }

    #[test]
    fn another_error_is_said_above_the_page() {
        let html = room(Some(ClientError::Unreachable));
        assert!(html.contains("does not answer") && html.contains("Try again"));
        assert!(room(None).contains("everything"));
    }
}
