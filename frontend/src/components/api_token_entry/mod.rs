//! One API token: what it is for, when it was used, and its end.

use crate::client;
use crate::components::confirm::Confirm;
use crate::components::form::Submission;
use crate::components::notice::Notice;
use crate::date::day;
use leptos::prelude::*;
use predilect_api::ApiToken;

/// A token in the list of tokens.
#[component]
pub(crate) fn ApiTokenEntry(
    /// The token, as last read.
    token: ApiToken,
    /// Hears that this token is no more.
    on_revoked: Callback<ApiToken>,
) -> impl IntoView {
    let submission = Submission::new(&[]);
    let name = token.name.clone();
    let used = match &token.last_used_at {
        Some(at) => format!("last used on {}", day(at)),
        None => "never used".into(),
    };
    let dates = format!("Created on {}, {used}", day(&token.created_at));
    let revoke = move |()| {
        let token = token.clone();
        let id = token.id.clone();
        submission.send(
            async move { client::revoke_api_token(&id).await },
            move |()| {
                on_revoked.run(token);
            },
        );
    };
    view! {
        <li class="token">
            <div class="token-words">
                <p class="token-name">{name.clone()}</p>
                <p class="quiet">{dates}</p>
            </div>
            <Confirm
                label="Revoke"
                name=format!("Revoke {name}")
                question=format!("Revoke “{name}” for good? What uses it stops working.")
                yes="Yes, revoke"
                on_yes=Callback::new(revoke)
            />
            <Notice message=Signal::derive(move || submission.beyond()) />
        </li>
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use predilect_api::ApiTokenId;

    fn entry(last_used_at: Option<&str>) -> String {
        let token = ApiToken {
            id: ApiTokenId("t".into()),
            name: "backup".into(),
            created_at: "2026-11-21T10:00:00Z".into(),
            last_used_at: last_used_at.map(Into::into),
        };
        view! { <ApiTokenEntry token=token on_revoked=Callback::new(|_| ()) /> }.to_html()
    }

    #[test]
    fn it_says_when_it_was_made_and_used() {
        let html = entry(None);
        for expected in [
            "backup",
            "Created on 2026-11-21, never used",
            "Revoke backup",
        ] {
            assert!(html.contains(expected), "{expected} in {html}");
        }
        assert!(entry(Some("2026-11-23T08:15:00Z")).contains("last used on 2026-11-23"));
    }
}
