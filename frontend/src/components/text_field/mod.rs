//! A line to type in, and what is wrong with what was typed.

use crate::components::form::Submission;
use crate::focus::focus_next;
use crate::format;
use leptos::html::Input;
use leptos::prelude::*;

/// A labelled line of a [`Form`](crate::components::form::Form).
#[component]
pub(crate) fn TextField(
    /// The input's id, which its words' ids begin with.
    #[prop(into)]
    id: String,
    /// What to type, as a noun: faults are told of it.
    label: &'static str,
    /// What the API calls it.
    field: &'static str,
    /// What is typed.
    value: RwSignal<String>,
    /// What became of the form.
    submission: Submission,
    /// Whether it is a password, and hidden while it is typed.
    #[prop(optional)]
    password: bool,
    /// What a password manager knows it as.
    #[prop(default = "off")]
    autocomplete: &'static str,
    /// What is allowed; a fault takes its place.
    #[prop(optional)]
    hint: &'static str,
    /// Whether it is a number, for the keys that a phone shows.
    #[prop(optional)]
    numeric: bool,
    /// An example, or what is taken while nothing is typed.
    #[prop(optional, into)]
    placeholder: MaybeProp<String>,
    /// Takes the focus as it appears: what was pressed for it has gone from the page.
    #[prop(optional)]
    takes_focus: bool,
) -> impl IntoView {
    let fault = Memo::new(move |_| submission.about(field));
    let input = NodeRef::<Input>::new();
    if takes_focus {
        Effect::new(move || {
            if input.get().is_some() {
                focus_next(move || input.try_get_untracked().flatten().map(Into::into));
            }
        });
    }
    let (hint_id, error_id) = (format!("{id}-hint"), format!("{id}-error"));
    view! {
        <div class="field">
            <label for=id.clone()>{label}</label>
            <input
                id=id
                node_ref=input
                class="input"
                name=field
                type=if password { "password" } else { "text" }
                autocomplete=autocomplete
                inputmode=numeric.then_some("decimal")
                placeholder=move || placeholder.get()
                aria-invalid=move || fault.read().is_some().to_string()
                aria-describedby=format!("{hint_id} {error_id}")
                bind:value=value
                on:input=move |_| submission.forget_error()
            />
            <div class="text-field-below">
                <p id=hint_id class="quiet" hidden=move || fault.read().is_some()>
                    {hint}
                </p>
                <p id=error_id class="field-error" role="alert">
                    {move || fault.get().map(|message| format::fault(label, &message))}
                </p>
            </div>
        </div>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(submission: Submission) -> String {
        view! {
            <TextField
                id="new-password"
                label="Password"
                field="password"
                value=RwSignal::new(String::new())
                submission=submission
                password=true
                autocomplete="new-password"
                hint="8 to 200 characters"
            />
        }
        .to_html()
    }

    #[test]
    fn a_password_is_hidden_and_known_to_password_managers() {
        let html = field(Submission::new(&["password"]));
        for expected in [
            "type=\"password\"",
            "autocomplete=\"new-password\"",
            "for=\"new-password\"",
            "aria-invalid=\"false\"",
            "8 to 200 characters",
        ] {
            assert!(html.contains(expected), "{expected} in {html}");
        }
    }

    #[test]
    fn a_fault_takes_the_place_of_the_hint_as_a_sentence() {
        let submission = Submission::new(&["password"]);
        submission.refuse("password", "must have 8 to 200 characters, and has 3");
        let html = field(submission);
        for expected in [
            "aria-invalid=\"true\"",
            "aria-describedby=\"new-password-hint new-password-error\"",
            "Password must have 8 to 200 characters, and has 3.",
            "hidden",
        ] {
            assert!(html.contains(expected), "{expected} in {html}");
        }
    }
}
