//! Another password.

use crate::client;
use crate::components::form::{Form, Submission};
use crate::components::success::Success;
use crate::components::text_field::TextField;
use leptos::prelude::*;
use predilect_api::{ChangePassword, Secret};

/// The form that changes the password of the account `name`.
#[component]
pub(crate) fn PasswordForm(
    /// The account's name.
    name: String,
) -> impl IntoView {
    let submission = Submission::new(&["current_password", "new_password"]);
    let (current, new) = (RwSignal::new(String::new()), RwSignal::new(String::new()));
    let told = RwSignal::new(String::new());
    let send = move |()| {
        told.set(String::new());
        let change = ChangePassword {
            current_password: Secret(current.get_untracked()),
            new_password: Secret(new.get_untracked()),
        };
        submission.send(
            async move { client::change_password(&change).await },
            move |()| {
                current.set(String::new());
                new.set(String::new());
                told.set("Your password is changed.".into());
            },
        );
    };
    view! {
        <Form
            submission=submission
            button="Change password"
            on_send=Callback::new(send)
            beside=move || view! { <Success words=told /> }
        >
            // Tells a password manager whose password it is.
            <input type="text" name="username" autocomplete="username" value=name hidden readonly />
            <TextField
                id="current-password"
                label="Current password"
                field="current_password"
                value=current
                submission=submission
                password=true
                autocomplete="current-password"
            />
            <TextField
                id="new-password"
                label="New password"
                field="new_password"
                value=new
                submission=submission
                password=true
                autocomplete="new-password"
                hint="8 to 200 characters, whichever you like"
            />
        </Form>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_manager_learns_whose_password_changes() {
        let html = view! { <PasswordForm name="Ana".to_owned() /> }.to_html();
        for expected in [
            "value=\"Ana\"",
            "\"username\"",
            "\"current-password\"",
            "\"new-password\"",
            ">Current password<",
            ">New password<",
        ] {
            assert!(html.contains(expected), "{expected} in {html}");
        }
    }
}
