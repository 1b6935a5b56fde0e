//! Name and password: to make an account, or to come back to it.

use crate::client;
use crate::components::form::{Form, Submission};
use crate::components::text_field::TextField;
use leptos::prelude::*;
use predilect_api::{Account, LogIn, Register, Secret};

/// What name and password are for.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Purpose {
    Register,
    LogIn,
}

/// A form with "Name" and "Password".
#[component]
pub(crate) fn CredentialsForm(
    /// What they are for.
    purpose: Purpose,
    /// Hears whose account it is.
    on_done: Callback<Account>,
) -> impl IntoView {
    let submission = Submission::new(&["name", "password"]);
    let (name, password) = (RwSignal::new(String::new()), RwSignal::new(String::new()));
    let send = move |()| {
        let (name, password) = (name.get_untracked(), Secret(password.get_untracked()));
        let request = async move {
            match purpose {
                Purpose::Register => client::register(&Register { name, password }).await,
                Purpose::LogIn => client::log_in(&LogIn { name, password }).await,
            }
        };
        submission.send(request, move |account| on_done.run(account));
    };
    // The page holds both forms, so their ids differ.
    let (button, name_id, password_id) = match purpose {
        Purpose::Register => ("Register", "register-name", "register-password"),
        Purpose::LogIn => ("Log in", "log-in-name", "log-in-password"),
    };
    // So that a password manager offers a new password, or the one it knows.
    let (autocomplete, hint) = match purpose {
        Purpose::Register => ("new-password", "8 to 200 characters, whichever you like"),
        Purpose::LogIn => ("current-password", ""),
    };
    view! {
        <Form submission=submission button=button on_send=Callback::new(send)>
            <TextField
                id=name_id
                label="Name"
                field="name"
                value=name
                submission=submission
                autocomplete="username"
            />
            <TextField
                id=password_id
                label="Password"
                field="password"
                value=password
                submission=submission
                password=true
                autocomplete=autocomplete
                hint=hint
            />
        </Form>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(purpose: Purpose) -> String {
        view! { <CredentialsForm purpose=purpose on_done=Callback::new(|_| ()) /> }.to_html()
    }

    #[test]
    fn a_password_manager_can_tell_the_forms_apart() {
        let register = form(Purpose::Register);
        for expected in [
            ">Name<",
            ">Password<",
            "\"username\"",
            "\"new-password\"",
            "8 to 200",
        ] {
            assert!(register.contains(expected), "{expected} in {register}");
        }
        let log_in = form(Purpose::LogIn);
        for expected in [
            ">Name<",
            ">Password<",
            "\"username\"",
            "\"current-password\"",
            "Log in",
        ] {
            assert!(log_in.contains(expected), "{expected} in {log_in}");
        }
    }
}
