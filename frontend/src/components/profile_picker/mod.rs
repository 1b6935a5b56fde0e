//! Whose taste to draw for.

use crate::format;
use leptos::prelude::*;
use predilect_api::{Profile, ProfileId, ProfileState};

/// A list labelled "Profile" of the named profiles that can be drawn for, and none.
#[component]
pub(crate) fn ProfilePicker(
    /// All of the person's profiles.
    #[prop(into)]
    profiles: Signal<Vec<Profile>>,
    /// The picked one; `None` draws with the base model.
    picked: RwSignal<Option<ProfileId>>,
    /// What the server says against it.
    #[prop(into)]
    error: Signal<Option<String>>,
) -> impl IntoView {
    let options = move || {
        let usable = profiles
            .get()
            .into_iter()
            .filter(|profile| profile.state == ProfileState::Ready);
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
    let words = move || match picked.get() {
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
        picked.set((!id.is_empty()).then_some(ProfileId(id)));
    };
    view! {
        <div class="field">
            <label for="profile">"Profile"</label>
            <div class="picker">
                <select id="profile" class="input picker-list" aria-describedby="profile-words profile-error" on:change=pick>
                    <option value="" selected=move || picked.get().is_none()>
                        "No profile"
                    </option>
                    {options}
                </select>
            </div>
            <p id="profile-words" class="quiet picker-words">
                {words}
            </p>
            <p id="profile-error" class="field-error" role="alert">
                {error}
            </p>
        </div>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profile(id: &str, name: Option<&str>, state: ProfileState) -> Profile {
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
        let picked = RwSignal::new(Some(ProfileId("a".into())));
        let html =
            view! { <ProfilePicker profiles=profiles picked=picked error={None::<String>} /> }
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
