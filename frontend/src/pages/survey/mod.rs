//! A win-rate survey, as a participant sees it: one blind item after another.

mod state;

use crate::components::key_button::KeyButton;
use crate::components::notice::Notice;
use crate::components::page_heading::PageHeading;
use crate::components::pair_pictures::{PairPictures, PairSide};
use crate::keys;
use leptos::prelude::*;
use leptos_router::hooks::use_params_map;
use predilect_api::{BlindItem, SurveyId, SurveyVote};
use state::{Ending, Stage, Voting};

/// Asks for votes until there is nothing left to ask.
#[component]
pub(crate) fn Survey() -> impl IntoView {
    let params = use_params_map();
    let id = Memo::new(move |_| SurveyId(params.read().get("id").unwrap_or_default()));
    let voting = Voting::new(id.into());
    Effect::new(move || voting.load());
    keys::listen(move |key| {
        voting.vote(match key {
            "ArrowLeft" => SurveyVote::Left,
            "ArrowRight" => SurveyVote::Right,
            "ArrowUp" => SurveyVote::Tie,
            "ArrowDown" => SurveyVote::BothBad,
            _ => return false,
        });
        true
    });

    let ending = Memo::new(move |_| match voting.stage.get() {
        Stage::Ended(ending) => Some(ending),
        Stage::Loading | Stage::Failed(_) | Stage::Asking(_) => None,
    });
    let heading = Signal::derive(move || {
        let ended = ending.get().map(Ending::heading);
        ended.unwrap_or("Which picture is better?").to_owned()
    });
    let lede = move || {
        ending.get().map_or(
            "Both pictures were drawn from the same words. Where each comes from stays hidden, so that \
             only what you see counts.",
            Ending::sentence,
        )
    };
    // Apart from the stage, so that the next item changes what it says, not the elements.
    let item = Memo::new(move |_| match voting.stage.get() {
        Stage::Asking(item) => Some(item),
        Stage::Loading | Stage::Failed(_) | Stage::Ended(_) => None,
    });
    let asking = Memo::new(move |_| item.read().is_some());
    let body = move || {
        if asking.get() {
            return view! { <Asking voting=voting item=item /> }.into_any();
        }
        match voting.stage.get() {
            Stage::Loading | Stage::Asking(_) => {
                view! { <div class="pair-loading" aria-busy="true"></div> }.into_any()
            }
            Stage::Failed(error) => view! {
                <Notice message=Some(error.sentence()) retry=Callback::new(move |()| voting.load()) />
            }
            .into_any(),
            Stage::Ended(Ending::AccountNeeded) => view! {
                <p>
                    <a class="button primary" href="/account">
                        "To your account"
                    </a>
                </p>
            }
            .into_any(),
            Stage::Ended(_) => ().into_any(),
        }
    };
    view! {
        <div class="pair-room">
            <div class="pair-intro">
                <PageHeading tab="Survey" text=heading />
                <p class="lede">{lede}</p>
            </div>
            {body}
            <Notice message=Signal::derive(move || voting.error.get().map(|error| error.sentence())) />
            <p class="sr-only" role="status">
                {voting.told}
            </p>
        </div>
    }
}

/// An item, and all that can be said of it.
#[component]
fn Asking(
    voting: Voting,
    /// The item; there for as long as this is shown.
    item: Memo<Option<BlindItem>>,
) -> impl IntoView {
    let text = move |of: fn(BlindItem) -> String| {
        Signal::derive(move || item.get().map(of).unwrap_or_default())
    };
    let prompt = text(|item| item.prompt);
    let progress = move || item.read().as_ref().map(|item| voting.progress(item));
    let left = PairSide {
        url: text(|item| item.left),
        label: "Left",
        verdict: SurveyVote::Left,
    };
    let right = PairSide {
        url: text(|item| item.right),
        label: "Right",
        verdict: SurveyVote::Right,
    };
    let vote = move |vote| Callback::new(move |()| voting.vote(vote));
    view! {
        <div class="pair-head">
            <p class="survey-progress">{progress}</p>
            <p class="pair-prompt">"Both drawn from “" {prompt} "”"</p>
        </div>
        <PairPictures
            prompt=prompt
            left=left
            right=right
            picked=voting.picked
            on_choose=Callback::new(move |side| voting.vote(side))
        />
        <div class="pair-others">
            <KeyButton label="No difference" key="↑" on_press=vote(SurveyVote::Tie) />
            <KeyButton label="Both bad" key="↓" on_press=vote(SurveyVote::BothBad) />
        </div>
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use predilect_api::SurveyItemId;

    #[test]
    fn an_item_can_be_voted_on_in_four_ways_and_tells_nothing_of_its_arms() {
        let item = BlindItem {
            item_id: SurveyItemId("i".into()),
            prompt: "a red fox".into(),
            left: "/i/left".into(),
            right: "/i/right".into(),
            votes_left_today: 50,
        };
        let voting = Voting::new(Signal::stored(SurveyId("s".into())));
        let item = Memo::new(move |_| Some(item.clone()));
        let html = view! { <Asking voting=voting item=item /> }.to_html();
        for expected in [
            "Left picture: a red fox",
            "Right picture: a red fox",
            "/i/left",
            "/i/right",
            ">Left<",
            ">Right<",
            "No difference",
            "Both bad",
            "Up to 50 votes today.",
        ] {
            assert!(html.contains(expected), "{expected} in {html}");
        }
    }
}
