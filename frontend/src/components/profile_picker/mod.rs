//! Whose taste to draw for.

mod taste;

pub(crate) use taste::{Taste, is_usable};

use crate::components::notice::Notice;
use crate::format;
use leptos::prelude::*;
use predilect_api::{Profile, ProfileId};

/// What stands for the blend in the list, where others have an id.
const BLEND: &str = "blend";

/// A list labelled "Profile" of the named profiles that can be drawn for, and none.
#[component]
pub(crate) fn ProfilePicker(
    /// All of the person's profiles.
    #[prop(into)]
    profiles: Signal<Vec<Profile>>,
    /// What is picked.
    taste: Taste,
    /// What the server says against it.
    #[prop(into)]
    error: Signal<Option<String>>,
) -> impl IntoView {
    let Taste {
        picked,
        blend,
        gone,
    } = taste;
    let options = move || {
        let usable = profiles.get().into_iter().filter(is_usable);
        usable
            .filter_map(|profile| {
                let id = profile.id;
                let (value, selected) =
                    (id.to_string(), move || picked.get().as_ref() == Some(&id));
                profile
                    .name
                    .map(|name| view! { <option value=value selected=selected>{name}</option> })
            })
            .collect_view()
    };
    let blended = move || {
        let blend = blend.get();
        (!blend.is_empty()).then(|| {
            view! {
                <option value=BLEND selected=true>
                    {format::blend(&blend)}
                </option>
            }
        })
    };
    let words = move || match picked.get() {
        _ if !blend.read().is_empty() => Some("The blend of the picture you came from.".into()),
        Some(id) => profiles
            .get()
            .into_iter()
            .find(|profile| profile.id == id)
            .and_then(|profile| profile.description)
            .map(|taste| format::quoted_taste(&taste)),
        None if profiles.get().is_empty() => {
            Some("Choose four times to make your first profile.".into())
        }
        None => Some("Drawn for nobody in particular.".into()),
    };
    let pick = move |event| {
        let id = event_target_value(&event);
        if id != BLEND {
            taste.pick((!id.is_empty()).then_some(ProfileId(id)));
        }
    };
    view! {
        <div class="field">
            <label for="profile">"Profile"</label>
            <div class="picker">
                <select id="profile" class="input picker-list" aria-describedby="profile-words profile-error" on:change=pick>
                    <option value="" selected=move || picked.get().is_none() && blend.read().is_empty()>
                        "No profile"
                    </option>
                    {options}
                    {blended}
                </select>
            </div>
            <p id="profile-words" class="quiet picker-words">
                {words}
            </p>
            <p id="profile-error" class="field-error" role="alert">
                {error}
            </p>
            <Notice message=gone />
        </div>
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use predilect_api::ProfileState;

    /// A profile of four choices.
    pub(crate) fn profile(id: &str, name: Option<&str>, state: ProfileState) -> Profile {
        Profile {
            id: ProfileId(id.into()),
            name: name.map(Into::into),
            description: Some(format!("{id} in words")),
            state,
            failure: None,
            choices: 4,
            created_at: "2026-11-23T00:00:00Z".into(),
        }
    }

    #[test]
    fn only_named_profiles_that_are_ready_can_be_picked() {
        let profiles = vec![
            profile("a", Some("Soft"), ProfileState::Ready),
            profile("b", Some("Early"), ProfileState::Pending),
            profile("c", None, ProfileState::Ready),
        ];
        let taste = Taste::new();
        taste.pick(Some(ProfileId("a".into())));
        let html = view! { <ProfilePicker profiles=profiles taste=taste error={None::<String>} /> }
            .to_html();
        assert!(
            html.contains("Soft") && html.contains("“a in words”"),
            "{html}"
        );
        assert!(
            !html.contains("Early") && !html.contains("value=\"c\""),
            "{html}"
        );
    }
}
