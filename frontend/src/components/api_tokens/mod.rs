//! The tokens by which scripts act for a person.

use crate::client::{self, ClientError};
use crate::components::api_token_entry::ApiTokenEntry;
use crate::components::copy_field::CopyField;
use crate::components::form::{Form, Submission};
use crate::components::notice::Notice;
use crate::components::success::Success;
use crate::components::text_field::TextField;
use crate::focus::{first_in, focus_next};
use leptos::html::Div;
use leptos::prelude::*;
use leptos::task::spawn_local;
use predilect_api::{ApiToken, CreatedApiToken};

/// Creates, lists and revokes API tokens.
#[component]
pub(crate) fn ApiTokens() -> impl IntoView {
    let tokens = RwSignal::new(None::<Vec<ApiToken>>);
    let load_error = RwSignal::new(None::<ClientError>);
    let created = RwSignal::new(None::<CreatedApiToken>);
    let told = RwSignal::new(String::new());
    let name = RwSignal::new(String::new());
    let submission = Submission::new(&["name"]);
    let place = NodeRef::<Div>::new();

    let load = move || {
        spawn_local(async move {
            match client::api_tokens().await {
                Ok(list) => {
                    load_error.try_set(None);
                    tokens.try_set(Some(list));
                }
                Err(failed) => {
                    load_error.try_set(Some(failed));
                }
            }
        });
    };
    Effect::new(load);
    let create = move |()| {
        told.set(String::new());
        let asked = name.get_untracked();
        submission.send(client::create_api_token(asked), move |new| {
            name.set(String::new());
            told.set(format!("“{}” is created. Copy it now.", new.name));
            created.set(Some(new));
            load();
        });
    };
    let forget = Callback::new(move |revoked: ApiToken| {
        created.update(|created| {
            created.take_if(|created| created.id == revoked.id);
        });
        told.set(format!("“{}” is revoked.", revoked.name));
        load();
        focus_next(move || {
            let place = place.try_get_untracked().flatten()?;
            first_in(&place, "button")
        });
    });
    let new_token = move || {
        created.get().map(|created| {
            view! {
                <CopyField
                    id="new-token"
                    label=format!("Token “{}”", created.name)
                    value=created.token.0
                    words="It is shown this once: Predilect does not keep it."
                />
            }
        })
    };
    view! {
        <div class="tokens" node_ref=place>
            <Form
                submission=submission
                button="Create token"
                on_send=Callback::new(create)
                beside=move || view! { <Success words=told /> }
            >
                <TextField
                    id="token-name"
                    label="Name of the new token"
                    field="name"
                    value=name
                    submission=submission
                    hint="What it is for"
                />
            </Form>
            {new_token}
            <Notice
                message=Signal::derive(move || load_error.get().map(|error| error.sentence()))
                retry=Callback::new(move |()| load())
            />
            <TokenList tokens=tokens on_revoked=forget />
        </div>
    }
}

/// The list, or what stands in its place.
#[component]
fn TokenList(
    /// As last read; `None` before the first answer.
    #[prop(into)]
    tokens: Signal<Option<Vec<ApiToken>>>,
    on_revoked: Callback<ApiToken>,
) -> impl IntoView {
    let none = Memo::new(move |_| tokens.read().as_ref().map(Vec::is_empty));
    move || match none.get() {
        None => view! { <p class="quiet">"Reading your tokens…"</p> }.into_any(),
        Some(true) => view! { <p class="quiet">"You have no token."</p> }.into_any(),
        Some(false) => view! {
            <ul class="tokens-list">
                <For
                    each=move || tokens.get().unwrap_or_default()
                    key=|token| token.id.clone()
                    let:token
                >
                    <ApiTokenEntry token=token on_revoked=on_revoked />
                </For>
            </ul>
        }
        .into_any(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(tokens: Option<Vec<ApiToken>>) -> String {
        view! { <TokenList tokens=tokens on_revoked=Callback::new(|_| ()) /> }.to_html()
    }

    #[test]
    fn an_empty_list_is_not_taken_for_one_that_is_still_read() {
        assert!(list(None).contains("Reading your tokens"));
        assert!(list(Some(vec![])).contains("You have no token."));
    }

    #[test]
    fn a_token_is_created_by_its_name() {
        let html = view! { <ApiTokens /> }.to_html();
        assert!(
            html.contains(">Name of the new token<") && html.contains("Create token"),
            "{html}"
        );
    }
}
