//! One saved profile: what it says, and what can be done with it.

use crate::client::{self, ClientError};
use crate::components::notice::Notice;
use leptos::prelude::*;
use leptos::task::spawn_local;
use predilect_api::{Profile, ProfileState};

/// What the entry shows below the profile.
#[derive(Clone, Copy, PartialEq)]
enum Mode {
    Plain,
    Renaming,
    Deleting,
}

/// A profile in the list of profiles.
#[component]
pub(crate) fn ProfileEntry(
    /// The profile, as last read.
    profile: Profile,
    /// Hears that the list has changed.
    on_change: Callback<()>,
) -> impl IntoView {
    let mode = RwSignal::new(Mode::Plain);
    let error = RwSignal::new(None::<ClientError>);
    let shown_name = profile
        .name
        .clone()
        .unwrap_or_else(|| "Not named yet".into());
    let new_name = RwSignal::new(profile.name.clone().unwrap_or_default());
    let id = StoredValue::new(profile.id.clone());
    let field_id = format!("name-{}", profile.id);

    let settle = move |answer: Result<(), ClientError>| match answer {
        Ok(()) => on_change.run(()),
        Err(failed) => error.set(Some(failed)),
    };
    let rename = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        let (id, name) = (id.get_value(), new_name.get_untracked());
        spawn_local(async move { settle(client::rename_profile(&id, name).await.map(drop)) });
    };
    let delete = move |_| {
        let id = id.get_value();
        spawn_local(async move { settle(client::delete_profile(&id).await) });
    };
    let change_to = move |next: Mode| {
        error.set(None);
        mode.set(next);
    };
    let message = Signal::derive(move || {
        error
            .get()
            .map(|error| error.about("name").unwrap_or_else(|| error.sentence()))
    });

    let ready = profile.state == ProfileState::Ready && profile.name.is_some();
    let words = match profile.state {
        ProfileState::Ready => profile.description.unwrap_or_default(),
        ProfileState::Pending => "Predilect is reading the choices.".into(),
        ProfileState::Failed => profile
            .failure
            .unwrap_or_else(|| "The choices could not be read.".into()),
    };
    let draw = format!("/create?profile={}", profile.id);
    let (rename_label, delete_label) = (
        format!("Rename {shown_name}"),
        format!("Delete {shown_name}"),
    );
    let question = format!("Delete “{shown_name}” for good?");
    let plain = move || {
        view! {
            <div class="entry-actions">
                {ready
                    .then(|| view! { <a class="button primary" href=draw.clone()>"Draw with it"</a> })}
                {ready
                    .then(|| {
                        view! {
                            <button
                                type="button"
                                class="button plain"
                                aria-label=rename_label.clone()
                                on:click=move |_| change_to(Mode::Renaming)
                            >
                                "Rename"
                            </button>
                        }
                    })}
                <button
                    type="button"
                    class="button plain danger"
                    aria-label=delete_label.clone()
                    on:click=move |_| change_to(Mode::Deleting)
                >
                    "Delete"
                </button>
            </div>
        }
    };
    let below = move || {
        match mode.get() {
        Mode::Plain => plain().into_any(),
        Mode::Renaming => view! {
            <form class="entry-rename" on:submit=rename novalidate>
                <div class="field">
                    <label for=field_id.clone()>"New name"</label>
                    <input id=field_id.clone() class="input" type="text" autocomplete="off" autofocus bind:value=new_name />
                </div>
                <div class="entry-actions">
                    <button type="submit" class="button primary">
                        "Save name"
                    </button>
                    <button type="button" class="button plain" on:click=move |_| change_to(Mode::Plain)>
                        "Keep the old one"
                    </button>
                </div>
            </form>
        }
        .into_any(),
        Mode::Deleting => view! {
            <p class="entry-question">{question.clone()}</p>
            <div class="entry-actions">
                <button type="button" class="button danger" on:click=delete>
                    "Yes, delete"
                </button>
                <button type="button" class="button plain" on:click=move |_| change_to(Mode::Plain)>
                    "Keep it"
                </button>
            </div>
        }
        .into_any(),
    }
    };
    view! {
        <li class="entry panel">
            <h2 class="entry-name">{shown_name.clone()}</h2>
            <p class="entry-words">{words}</p>
            {below}
            <Notice message=message />
        </li>
    }
}
