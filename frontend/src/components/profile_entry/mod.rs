//! One saved profile: what it says, and what can be done with it.

use crate::client;
use crate::components::confirm::Confirm;
use crate::components::form::{Form, Submission};
use crate::components::notice::Notice;
use crate::components::text_field::TextField;
use crate::focus::focus_next;
use crate::format;
use leptos::html::Button;
use leptos::prelude::*;
use predilect_api::{Profile, ProfileId, ProfileState};

/// A profile in the list of profiles.
#[component]
pub(crate) fn ProfileEntry(
    /// The profile, as last read.
    profile: Profile,
    /// Hears that the list has changed.
    on_change: Callback<()>,
) -> impl IntoView {
    let renaming = RwSignal::new(false);
    let renamer = NodeRef::<Button>::new();
    let deletion = Submission::new(&[]);
    let shown_name = profile
        .name
        .clone()
        .unwrap_or_else(|| "Not named yet".into());
    let id = StoredValue::new(profile.id.clone());
    let delete = Callback::new(move |()| {
        let id = id.get_value();
        deletion.send(
            async move { client::delete_profile(&id).await },
            move |()| on_change.run(()),
        );
    });
    let keep_name = Callback::new(move |()| {
        renaming.set(false);
        focus_next(move || renamer.try_get_untracked().flatten().map(Into::into));
    });

    let ready = profile.state == ProfileState::Ready && profile.name.is_some();
    let words = match profile.state {
        ProfileState::Ready => profile
            .description
            .map_or_else(String::new, |taste| format::quoted_taste(&taste)),
        ProfileState::Pending => "Predilect is reading the choices.".into(),
        ProfileState::Failed => profile
            .failure
            .unwrap_or_else(|| "The choices could not be read.".into()),
    };
    let draw = format!("/create?profile={}", profile.id);
    let old_name = profile.name.unwrap_or_default();
    let (rename_label, delete_label) = (
        format!("Rename {shown_name}"),
        format!("Delete {shown_name}"),
    );
    let question = format!("Delete “{shown_name}” for good?");
    let actions = move || {
        view! {
            <div class="entry-actions">
                {ready
                    .then(|| {
                        view! {
                            <a class="button primary" href=draw.clone()>
                                "Draw with it"
                            </a>
                            <button
                                type="button"
                                class="button plain"
                                node_ref=renamer
                                aria-label=rename_label.clone()
                                on:click=move |_| renaming.set(true)
                            >
                                "Rename"
                            </button>
                        }
                    })}
                <Confirm
                    label="Delete"
                    name=delete_label.clone()
                    question=question.clone()
                    yes="Yes, delete"
                    on_yes=delete
                />
            </div>
        }
    };
    let rename = move || {
        view! {
            <RenameForm
                id=id.get_value()
                old_name=old_name.clone()
                on_keep=keep_name
                on_renamed=on_change
            />
        }
    };
    view! {
        <li class="entry panel">
            <h2 class="entry-name">{shown_name}</h2>
            <p class="entry-words">{words}</p>
            <Show when=move || !renaming.get() fallback=rename>
                {actions()}
            </Show>
            <Notice message=Signal::derive(move || deletion.beyond()) />
        </li>
    }
}

/// Asks for another name.
#[component]
fn RenameForm(
    id: ProfileId,
    old_name: String,
    on_keep: Callback<()>,
    on_renamed: Callback<()>,
) -> impl IntoView {
    let submission = Submission::new(&["name"]);
    let name = RwSignal::new(old_name);
    let field_id = format!("name-{id}");
    let rename = move |()| {
        let id = id.clone();
        submission.send(
            async move { client::rename_profile(&id, name.get_untracked()).await },
            move |_| on_renamed.run(()),
        );
    };
    view! {
        <Form
            submission=submission
            button="Save name"
            on_send=Callback::new(rename)
            beside=move || {
                view! {
                    <button type="button" class="button plain" on:click=move |_| on_keep.run(())>
                        "Keep the old one"
                    </button>
                }
            }
        >
            <TextField id=field_id label="New name" field="name" value=name submission=submission takes_focus=true />
        </Form>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(state: ProfileState) -> String {
        let profile = Profile {
            id: ProfileId("p".into()),
            name: Some("Soft".into()),
            description: Some("Prefers soft shapes.".into()),
            state,
            failure: None,
            choices: 4,
            created_at: "2026-11-23T00:00:00Z".into(),
        };
        view! { <ProfileEntry profile=profile on_change=Callback::new(|()| ()) /> }.to_html()
    }

    #[test]
    fn a_profile_that_is_ready_can_be_drawn_with_and_renamed() {
        let html = entry(ProfileState::Ready);
        for expected in [
            "Draw with it",
            "Rename Soft",
            "Delete Soft",
            "“Prefers soft shapes.”",
        ] {
            assert!(html.contains(expected), "{expected} in {html}");
        }
    }

    #[test]
    fn a_profile_that_is_still_read_can_only_be_deleted() {
        let html = entry(ProfileState::Pending);
        assert!(html.contains("Delete Soft"), "{html}");
        assert!(
            !html.contains("Draw with it") && !html.contains("Rename"),
            "{html}"
        );
    }
}
