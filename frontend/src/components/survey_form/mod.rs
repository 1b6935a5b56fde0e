//! What a survey is to compare, and whom it asks.

mod draft;

use crate::client;
use crate::components::check_box::CheckBox;
use crate::components::form::{Form, Submission};
use crate::components::text_field::TextField;
use draft::{ARMS, Draft, FIELDS};
use leptos::prelude::*;
use predilect_api::Survey;

/// The form with which an admin creates a survey.
#[component]
pub(crate) fn SurveyForm(
    /// Hears of the new survey.
    on_created: Callback<Survey>,
) -> impl IntoView {
    let submission = Submission::new(&FIELDS);
    let draft = Draft::new();
    let send = Callback::new(move |()| match draft.request() {
        Err((field, message)) => submission.refuse(field, message),
        Ok(new) => submission.send(
            async move { client::create_survey(&new).await },
            move |survey| on_created.run(survey),
        ),
    });
    let arm = move |at: usize| {
        let (label, field) = ARMS[at];
        view! {
            <TextField id=format!("survey-arm-{at}") label=label field=field value=draft.arms[at] submission=submission />
        }
    };
    let more = move |by: i8| {
        submission.forget_error();
        draft.change_number_of_arms(by);
    };
    view! {
        <Form submission=submission button="Create survey" on_send=send>
            <TextField
                id="survey-name"
                label="Name"
                field="name"
                value=draft.name
                submission=submission
                hint="Only admins see it."
            />
            <fieldset class="survey-arms">
                <legend>"What is compared"</legend>
                <p class="quiet">"Each a way to draw. Participants never see these names."</p>
                <div class="survey-arms-names">
                    <For each=move || 0..draft.number_of_arms.get() key=|at| *at children=arm />
                </div>
                <div class="survey-arms-buttons">
                    <Show when=move || draft.number_of_arms.get() < ARMS.len()>
                        <button type="button" class="button" on:click=move |_| more(1)>
                            "Add an arm"
                        </button>
                    </Show>
                    <Show when=move || { draft.number_of_arms.get() > 2 }>
                        <button type="button" class="button plain" on:click=move |_| more(-1)>
                            "Remove the last arm"
                        </button>
                    </Show>
                </div>
            </fieldset>
            <div class="survey-numbers">
                <TextField
                    id="survey-target"
                    label="Votes in all"
                    field="target_votes"
                    value=draft.target_votes
                    submission=submission
                    hint="After these nobody is asked any more."
                />
                <TextField
                    id="survey-cap"
                    label="Votes a day for one participant"
                    field="daily_cap"
                    value=draft.daily_cap
                    submission=submission
                    hint="1 to 1000; a day begins at midnight UTC."
                />
                <TextField
                    id="survey-attention"
                    label="Items per attention check"
                    field="attention_every"
                    value=draft.attention_every
                    submission=submission
                    hint="In one of so many items a picture is spoilt; 0 for none."
                />
            </div>
            <CheckBox label="Ask only people with an account" checked=draft.registered_only />
        </Form>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_begins_with_two_arms() {
        // A list of elements keeps its state with whoever owns it.
        let html = Owner::new()
            .with(|| view! { <SurveyForm on_created=Callback::new(|_| ()) /> }.to_html());
        for expected in [
            ">Name<",
            ">Arm 1<",
            ">Arm 2<",
            ">Votes in all<",
            ">Votes a day for one participant<",
            ">Items per attention check<",
            "Create survey",
            "Add an arm",
        ] {
            assert!(html.contains(expected), "{expected} in {html}");
        }
        assert!(
            !html.contains("Arm 3") && !html.contains("Remove"),
            "{html}"
        );
    }
}
