//! The ways out of an account.

use crate::client;
use crate::components::form::Submission;
use crate::components::notice::Notice;
use leptos::prelude::*;

/// "Log out" and "Log out everywhere".
#[component]
pub(crate) fn LogOut(
    /// Hears that the person is logged out, in words.
    on_done: Callback<&'static str>,
) -> impl IntoView {
    let submission = Submission::new(&[]);
    let here = move |_| {
        submission.send(client::log_out(), move |()| {
            on_done.run("You are logged out.")
        });
    };
    let everywhere = move |_| {
        submission.send(client::log_out_everywhere(), move |()| {
            on_done.run("You are logged out on every device.");
        });
    };
    let busy = move || submission.is_busy().to_string();
    view! {
        <div class="log-out">
            <button type="button" class="button" aria-disabled=busy on:click=here>
                "Log out"
            </button>
            <button type="button" class="button plain" aria-disabled=busy on:click=everywhere>
                "Log out everywhere"
            </button>
        </div>
        <Notice message=Signal::derive(move || submission.beyond()) />
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_out_are_there() {
        let html = view! { <LogOut on_done=Callback::new(|_| ()) /> }.to_html();
        assert!(
            html.contains(">Log out<") && html.contains(">Log out everywhere<"),
            "{html}"
        );
    }
}
