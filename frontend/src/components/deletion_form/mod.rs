//! The end of everything that is a person's.

use crate::client;
use crate::components::form::{Form, Submission};
use crate::components::text_field::TextField;
use crate::focus::focus_next;
use leptos::html::Button;
use leptos::prelude::*;
use predilect_api::{DeleteEverything, Secret};

/// What somebody types who has no password.
const WORD: &str = "delete";

/// How a person shows that they mean it.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Proof {
    /// By the password of their account.
    Password,
    /// By typing a word: they have no password.
    Word,
}

/// "Delete everything of mine"; pressed, it asks for the proof.
#[component]
pub(crate) fn DeletionForm(
    /// What is asked for.
    proof: Proof,
    /// Hears that nothing is left.
    on_done: Callback<()>,
) -> impl IntoView {
    let asking = RwSignal::new(false);
    let opener = NodeRef::<Button>::new();
    let keep = Callback::new(move |()| {
        asking.set(false);
        focus_next(move || opener.try_get_untracked().flatten().map(Into::into));
    });
    view! {
        <Show
            when=move || !asking.get()
            fallback=move || view! { <ProofForm proof=proof on_keep=keep on_done=on_done /> }
        >
            <div>
                <button type="button" class="button danger" node_ref=opener on:click=move |_| asking.set(true)>
                    "Delete everything of mine"
                </button>
            </div>
        </Show>
    }
}

#[component]
fn ProofForm(proof: Proof, on_keep: Callback<()>, on_done: Callback<()>) -> impl IntoView {
    let submission = Submission::new(&["password", "confirm"]);
    let typed = RwSignal::new(String::new());
    let send = move |()| {
        let typed = typed.get_untracked();
        let request = match proof {
            Proof::Password => DeleteEverything {
                password: Some(Secret(typed)),
                confirm: None,
            },
            Proof::Word if typed.trim().eq_ignore_ascii_case(WORD) => DeleteEverything {
                password: None,
                confirm: Some(true),
            },
            Proof::Word => {
                return submission.refuse("confirm", format!("must be the word “{WORD}”"));
            }
        };
        submission.send(
            async move { client::delete_everything(&request).await },
            move |()| on_done.run(()),
        );
    };
    let field = match proof {
        Proof::Password => view! {
            <TextField
                id="deletion-password"
                label="Password"
                field="password"
                value=typed
                submission=submission
                password=true
                autocomplete="current-password"
                hint="To show that it is you"
                takes_focus=true
            />
        },
        Proof::Word => view! {
            <TextField
                id="deletion-confirm"
                label="Confirmation"
                field="confirm"
                value=typed
                submission=submission
                hint="To confirm, type the word “delete”"
                takes_focus=true
            />
        },
    };
    view! {
        <Form
            submission=submission
            button="Yes, delete everything"
            danger=true
            on_send=Callback::new(send)
            beside=move || {
                view! {
                    <button type="button" class="button plain" on:click=move |_| on_keep.run(())>
                        "Keep everything"
                    </button>
                }
            }
        >
            {field}
        </Form>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(proof: Proof) -> String {
        let ignore = Callback::new(|()| ());
        view! { <ProofForm proof=proof on_keep=ignore on_done=ignore /> }.to_html()
    }

    #[test]
    fn an_account_is_proven_by_its_password() {
        let html = form(Proof::Password);
        for expected in ["type=\"password\"", "\"current-password\"", ">Password<"] {
            assert!(html.contains(expected), "{expected} in {html}");
        }
    }

    #[test]
    fn whoever_has_no_password_types_a_word() {
        let html = form(Proof::Word);
        assert!(
            html.contains(WORD) && !html.contains("type=\"password\""),
            "{html}"
        );
    }

    #[test]
    fn nothing_is_asked_before_the_button_is_pressed() {
        let html = view! { <DeletionForm proof=Proof::Password on_done=Callback::new(|()| ()) /> }
            .to_html();
        assert!(
            html.contains("Delete everything of mine") && !html.contains("<form"),
            "{html}"
        );
    }
}
