//! All of a person's profiles.

use crate::client::{self, Answer, ClientError};
use crate::components::notice::Notice;
use crate::components::page_heading::PageHeading;
use crate::components::profile_entry::ProfileEntry;
use leptos::prelude::*;
use leptos::task::spawn_local;
use predilect_api::Profile;

/// Lists the profiles, to rename, delete or draw with them.
#[component]
pub(crate) fn Profiles() -> impl IntoView {
    let profiles = RwSignal::new(None::<Vec<Profile>>);
    let error = RwSignal::new(None::<ClientError>);
    let load = move || {
        spawn_local(async move {
            match read().await {
                Ok(list) => {
                    error.set(None);
                    profiles.set(Some(list));
                }
                Err(failed) => error.set(Some(failed)),
            }
        });
    };
    Effect::new(load);
    let list = move || {
        let all = profiles.get()?;
        Some(if all.is_empty() {
            view! {
                <div class="profiles-none">
                    <p>"You have no profile yet. Four choices make one."</p>
                    <a class="button primary" href="/">
                        "Choose"
                    </a>
                </div>
            }
            .into_any()
        } else {
            let entries = all.into_iter().map(|profile| {
                view! { <ProfileEntry profile=profile on_change=Callback::new(move |()| load()) /> }
            });
            view! { <ul class="profiles-list">{entries.collect_view()}</ul> }.into_any()
        })
    };
    view! {
        <div class="profiles">
            <PageHeading tab="Profiles" text="Your profiles".to_owned() />
            <p class="lede">"Each is a taste, read from four choices. Only you can see and use yours."</p>
            <Notice
                message=Signal::derive(move || error.get().map(|error| error.sentence()))
                retry=Callback::new(move |()| load())
            />
            {list}
        </div>
    }
}

async fn read() -> Answer<Vec<Profile>> {
    client::start_session().await?;
    client::profiles().await
}
