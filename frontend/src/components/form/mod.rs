//! A form that sends a request, and says what became of it.

mod submission;

pub(crate) use submission::Submission;

use crate::components::notice::Notice;
use crate::focus::{first_in, focus_next};
use leptos::html;
use leptos::prelude::*;

/// Fields over a button that sends them. A refusal takes the focus to the first field at
/// fault; what is wrong besides the fields is said below the button, which stays in its place.
#[component]
pub(crate) fn Form(
    /// What becomes of it.
    submission: Submission,
    /// What the button says.
    button: &'static str,
    /// Whether the button deletes something.
    #[prop(optional)]
    danger: bool,
    /// Hears that the form is to be sent.
    on_send: Callback<()>,
    /// Stands beside the button.
    #[prop(optional, into)]
    beside: ViewFn,
    /// The fields.
    children: Children,
) -> impl IntoView {
    let form = NodeRef::<html::Form>::new();
    Effect::new(move || {
        if submission.is_refused()
            && let Some(form) = form.get_untracked()
        {
            focus_next(move || first_in(&form, "[aria-invalid='true']"));
        }
    });
    let send = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        on_send.run(());
    };
    view! {
        <form class="form" node_ref=form on:submit=send novalidate>
            {children()}
            <div class="form-actions">
                <button
                    type="submit"
                    class="button"
                    class:primary=!danger
                    class:danger=danger
                    aria-disabled=move || submission.is_busy().to_string()
                >
                    {button}
                </button>
                {beside.run()}
            </div>
            <Notice message=Signal::derive(move || submission.beyond()) />
        </form>
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::ClientError;

    fn form(submission: Submission) -> String {
        view! {
            <Form submission=submission button="Save" on_send=Callback::new(|()| ())>
                "fields"
            </Form>
        }
        .to_html()
    }

    #[test]
    fn a_server_that_is_down_is_said_below_the_button() {
        let submission = Submission::new(&["name"]);
        submission.error.set(Some(ClientError::Unreachable));
        let html = form(submission);
        let (said, button) = (html.find("does not answer"), html.find("Save"));
        assert!(button.is_some() && button < said, "{html}");
    }

    #[test]
    fn a_fault_of_a_field_is_left_to_the_field() {
        let submission = Submission::new(&["name"]);
        submission.refuse("name", "must be short");
        let html = form(submission);
        assert!(
            html.contains("fields") && !html.contains("must be short"),
            "{html}"
        );
    }
}
