//! Four choices between two pictures, then the profile they make.

mod keys;
mod state;

use crate::components::choice_progress::ChoiceProgress;
use crate::components::key_button::KeyButton;
use crate::components::notice::Notice;
use crate::components::page_heading::PageHeading;
use crate::components::pair_pictures::{PairPictures, PairSide};
use crate::components::taste_form::TasteForm;
use leptos::prelude::*;
use leptos_router::hooks::use_navigate;
use predilect_api::{Choice, Pair, Profile};
use state::{Choosing, Stage};

/// The page one lands on.
#[component]
pub(crate) fn Choose() -> impl IntoView {
    let choosing = Choosing::new();
    Effect::new(move || choosing.load());
    keys::listen(choosing);

    let describing = Memo::new(move |_| matches!(choosing.stage.get(), Stage::Describing(_)));
    let heading = Signal::derive(move || {
        if describing.get() {
            "This is your taste".to_owned()
        } else {
            "Which one do you like better?".to_owned()
        }
    });
    let lede = move || {
        if describing.get() {
            "Give it a name to draw with it. You can make as many profiles as you like."
        } else {
            "Four choices teach Predilect your taste; it then draws whatever you ask for, your way. \
             There is no right answer: go with your eye."
        }
    };
    let navigate = use_navigate();
    let on_saved = Callback::new(move |profile: Profile| {
        navigate(
            &format!("/create?profile={}", profile.id),
            leptos_router::NavigateOptions::default(),
        );
    });
    // Apart from the stage, so that the next pair changes what it says, not the elements.
    let pair = Memo::new(move |_| match choosing.stage.get() {
        Stage::Choosing(pair) => Some(pair),
        Stage::Loading | Stage::Failed(_) | Stage::Describing(_) => None,
    });
    let asking = Memo::new(move |_| pair.read().is_some());
    let body = move || {
        if asking.get() {
            return view! { <Asking choosing=choosing pair=pair /> }.into_any();
        }
        match choosing.stage.get() {
            Stage::Loading | Stage::Choosing(_) => {
                view! { <div class="pair-loading" aria-busy="true"></div> }.into_any()
            }
            Stage::Failed(error) => view! {
                <Notice message=Some(error.sentence()) retry=Callback::new(move |()| choosing.load()) />
            }
            .into_any(),
            Stage::Describing(id) => view! {
                <TasteForm id=id on_saved=on_saved />
                <div class="pair-others">
                    <UndoButton choosing=choosing />
                </div>
            }
            .into_any(),
        }
    };
    view! {
        <div class="pair-room">
            <div class="pair-intro">
                <PageHeading tab="Choose" text=heading />
                <p class="lede">{lede}</p>
            </div>
            {body}
            <Notice message=Signal::derive(move || choosing.error.get().map(|error| error.sentence())) />
            <p class="sr-only" role="status">
                {choosing.told}
            </p>
        </div>
    }
}

/// A pair, and all that can be said of it.
#[component]
fn Asking(
    choosing: Choosing,
    /// The pair; there for as long as this is shown.
    pair: Memo<Option<Pair>>,
) -> impl IntoView {
    let text = move |of: fn(Pair) -> String| {
        Signal::derive(move || pair.get().map(of).unwrap_or_default())
    };
    let number =
        move |of: fn(&Pair) -> u32| Signal::derive(move || pair.read().as_ref().map_or(0, of));
    let prompt = text(|pair| pair.prompt);
    let left = PairSide {
        url: text(|pair| pair.left),
        label: "Prefer left",
        verdict: Choice::Left,
    };
    let right = PairSide {
        url: text(|pair| pair.right),
        label: "Prefer right",
        verdict: Choice::Right,
    };
    let choose = move |choice| Callback::new(move |()| choosing.choose(choice));
    view! {
        <div class="pair-head">
            <ChoiceProgress position=number(|pair| pair.position) needed=number(|pair| pair.needed) />
            <p class="pair-prompt">"Both drawn from “" {prompt} "”"</p>
        </div>
        <PairPictures
            prompt=prompt
            left=left
            right=right
            picked=choosing.picked
            on_choose=Callback::new(move |choice| choosing.choose(choice))
        />
        <div class="pair-others">
            <KeyButton label="No preference" key="↑" on_press=choose(Choice::Tie) />
            <KeyButton label="Skip" key="↓" on_press=choose(Choice::Skip) />
            <UndoButton choosing=choosing />
        </div>
    }
}

#[component]
fn UndoButton(choosing: Choosing) -> impl IntoView {
    view! {
        <KeyButton
            label="Undo"
            key="⌫"
            plain=true
            disabled=Signal::derive(move || !choosing.can_undo())
            on_press=Callback::new(move |()| choosing.undo())
        />
    }
}
