//! Four choices between two pictures, then the profile they make.

mod keys;
mod state;

use crate::components::choice_progress::ChoiceProgress;
use crate::components::notice::Notice;
use crate::components::page_heading::PageHeading;
use crate::components::pair_pictures::PairPictures;
use crate::components::taste_form::TasteForm;
use leptos::prelude::*;
use leptos_router::hooks::use_navigate;
use predilect_api::{Choice, Profile};
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
    let body = move || {
        match choosing.stage.get() {
        Stage::Loading => view! { <div class="choose-loading" aria-busy="true"></div> }.into_any(),
        Stage::Failed(error) => view! {
            <Notice message=Some(error.sentence()) retry=Callback::new(move |()| choosing.load()) />
        }
        .into_any(),
        Stage::Choosing(pair) => view! {
            <div class="choose-head">
                <ChoiceProgress position=pair.position needed=pair.needed />
                <p class="choose-prompt">"Both drawn from “" {pair.prompt.clone()} "”"</p>
            </div>
            <PairPictures pair=pair picked=choosing.picked on_choose=Callback::new(move |choice| choosing.choose(choice)) />
            <Others choosing=choosing />
        }
        .into_any(),
        Stage::Describing(id) => view! {
            <TasteForm id=id on_saved=on_saved />
            <div class="choose-others">
                <UndoButton choosing=choosing />
            </div>
        }
        .into_any(),
    }
    };
    view! {
        <div class="choose">
            <div class="choose-intro">
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

/// What can be done instead of preferring one.
#[component]
fn Others(choosing: Choosing) -> impl IntoView {
    view! {
        <div class="choose-others">
            <button type="button" class="button" on:click=move |_| choosing.choose(Choice::Tie)>
                "No preference"
                <kbd class="key" aria-hidden="true">
                    "↑"
                </kbd>
            </button>
            <button type="button" class="button" on:click=move |_| choosing.choose(Choice::Skip)>
                "Skip"
                <kbd class="key" aria-hidden="true">
                    "↓"
                </kbd>
            </button>
            <UndoButton choosing=choosing />
        </div>
    }
}

#[component]
fn UndoButton(choosing: Choosing) -> impl IntoView {
    view! {
        <button
            type="button"
            class="button plain"
            aria-disabled=move || (!choosing.can_undo()).to_string()
            on:click=move |_| choosing.undo()
        >
            "Undo"
            <kbd class="key" aria-hidden="true">
                "⌫"
            </kbd>
        </button>
    }
}
