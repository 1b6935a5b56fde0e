//! A prompt, a profile, and the picture they become.

mod state;

use crate::components::earlier_prompts::prompts_of;
use crate::components::easel::Easel;
use crate::components::notice::Notice;
use crate::components::page_heading::PageHeading;
use crate::components::prompt_form::PromptForm;
use crate::components::recent_pictures::RecentPictures;
use leptos::prelude::*;
use leptos_router::hooks::use_query_map;
use predilect_api::ProfileId;
use state::Creating;

/// The page where pictures are made. `?profile=ID` picks a profile, `?from=ID` takes over the
/// settings of a picture.
#[component]
pub(crate) fn Create() -> impl IntoView {
    let creating = Creating::new();
    let (asked_for, from) = use_query_map()
        .with_untracked(|query| (query.get("profile").map(ProfileId), query.get("from")));
    Effect::new(move || creating.load(asked_for.clone(), from.clone()));
    view! {
        <div class="create">
            <div class="create-intro">
                <PageHeading tab="Create" text="Say what to draw".to_owned() />
                <p class="lede">"Short and plain works best: a thing, and perhaps a colour."</p>
            </div>
            <Notice
                message=Signal::derive(move || creating.load_error.get().map(|error| error.sentence()))
                retry=Callback::new(move |()| creating.load(None, None))
            />
            <div class="create-room">
                <PromptForm
                    draft=creating.draft
                    profiles=creating.profiles
                    earlier=Signal::derive(move || creating.recent.with(|recent| prompts_of(recent)))
                    model=creating.model
                    submission=creating.submission
                    busy=creating.busy()
                    on_generate=Callback::new(move |()| creating.generate())
                />
                <Easel
                    drawing=creating.drawing
                    error=creating.cancel_error
                    others=creating.others()
                    on_cancel=Callback::new(move |()| creating.cancel())
                    on_cancel_all=Callback::new(move |()| creating.cancel_all())
                />
            </div>
            <RecentPictures
                generations=creating.recent
                on_show=Callback::new(move |generation| creating.follow(generation))
            />
        </div>
    }
}
