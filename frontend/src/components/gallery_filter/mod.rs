//! Which pictures the gallery shows.

use crate::client::ImageFilter;
use gloo_timers::callback::Timeout;
use leptos::prelude::*;
use predilect_api::Profile;

/// Milliseconds without a key after which a search begins.
const PAUSE_MS: u32 = 250;

/// "Search", "Profile" and "Favourites".
#[component]
pub(crate) fn GalleryFilter(
    /// What is asked for, changed by the controls.
    filter: RwSignal<ImageFilter>,
    /// All of the person's profiles.
    #[prop(into)]
    profiles: Signal<Vec<Profile>>,
) -> impl IntoView {
    // Held while somebody types; replacing or dropping it cancels it.
    let pause = StoredValue::new_local(None::<Timeout>);
    let type_search = move |event| {
        let search = event_target_value(&event);
        let wait = Timeout::new(PAUSE_MS, move || {
            filter.try_update(|filter| filter.search = search);
        });
        pause.set_value(Some(wait));
    };
    let pick = move |event| {
        let profile = event_target_value(&event);
        filter.update(|filter| filter.profile = profile);
    };
    let named = move || {
        let named = profiles.get().into_iter();
        named
            .filter_map(|profile| {
                let (id, name) = (profile.id.to_string(), profile.name?);
                Some(view! { <option value=id>{name}</option> })
            })
            .collect_view()
    };
    view! {
        <form class="gallery-filter" role="search" on:submit=|event| event.prevent_default()>
            <div class="field gallery-search">
                <label for="gallery-search">"Search"</label>
                <input
                    id="gallery-search"
                    class="input"
                    type="search"
                    autocomplete="off"
                    placeholder="Words of a prompt"
                    on:input=type_search
                />
            </div>
            <div class="field">
                <label for="gallery-profile">"Profile"</label>
                <div class="picker">
                    <select id="gallery-profile" class="input picker-list" on:change=pick>
                        <option value="">"All pictures"</option>
                        <option value="none">"No profile"</option>
                        {named}
                    </select>
                </div>
            </div>
            <button
                type="button"
                class="button gallery-favourites"
                aria-pressed=move || filter.read().favourites.to_string()
                on:click=move |_| filter.update(|filter| filter.favourites = !filter.favourites)
            >
                <span aria-hidden="true">"★"</span>
                "Favourites"
            </button>
        </form>
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use predilect_api::{ProfileId, ProfileState};

    #[test]
    fn the_controls_have_their_names_and_unnamed_profiles_are_left_out() {
        let profile = |id: &str, name: Option<&str>| Profile {
            id: ProfileId(id.into()),
            name: name.map(Into::into),
            description: None,
            state: ProfileState::Ready,
            failure: None,
            choices: 4,
            created_at: "2026-11-23T00:00:00Z".into(),
        };
        let profiles = vec![profile("a", Some("Soft")), profile("b", None)];
        let filter = RwSignal::new(ImageFilter::default());
        let html = view! { <GalleryFilter filter=filter profiles=profiles /> }.to_html();
        for expected in [
            ">Search<",
            ">Profile<",
            "Favourites",
            "aria-pressed=\"false\"",
            "Soft",
            "No profile",
        ] {
            assert!(html.contains(expected), "{expected} in {html}");
        }
        assert!(!html.contains("value=\"b\""), "{html}");
    }
}
