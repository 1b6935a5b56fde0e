//! A person's account, or the way to one.

mod state;

use crate::components::api_tokens::ApiTokens;
use crate::components::card::Card;
use crate::components::credentials_form::{CredentialsForm, Purpose};
use crate::components::data_download::DataDownload;
use crate::components::deletion_form::{DeletionForm, Proof};
use crate::components::log_out::LogOut;
use crate::components::notice::Notice;
use crate::components::page_heading::PageHeading;
use crate::components::password_form::PasswordForm;
use crate::components::success::Success;
use crate::date::day;
use crate::focus::focus_next;
use leptos::html::H1;
use leptos::prelude::*;
use predilect_api as api;
use state::{Identity, Stage};

/// The page where one registers, logs in and out, and decides over one's data.
#[component]
pub(crate) fn Account() -> impl IntoView {
    let identity = Identity::new();
    Effect::new(move || identity.load());
    let heading = NodeRef::<H1>::new();
    // With the old forms goes whatever had the focus.
    Effect::new(move || {
        if !identity.told.read().is_empty() {
            focus_next(move || heading.try_get_untracked().flatten().map(Into::into));
        }
    });
    let body = move || match identity.stage.get() {
        Stage::Loading => {
            view! { <div class="account-loading panel" aria-busy="true"></div> }.into_any()
        }
        Stage::Failed(error) => view! {
            <Notice message=Some(error.sentence()) retry=Callback::new(move |()| identity.load()) />
        }
        .into_any(),
        Stage::Known(api::Account {
            name: Some(name),
            registered_at,
            ..
        }) => view! { <Registered name=name since=registered_at identity=identity /> }.into_any(),
        Stage::Known(_) => view! { <Anonymous identity=identity /> }.into_any(),
    };
    view! {
        <div class="account">
            <PageHeading tab="Account" text="Your account".to_owned() heading=heading />
            <Success words=identity.told />
            {body}
        </div>
    }
}

/// What somebody without an account sees.
#[component]
fn Anonymous(identity: Identity) -> impl IntoView {
    let registered = move |account| {
        identity.enter(
            account,
            "You are registered. All that you made here is in your account.",
        );
    };
    let logged_in = move |account| identity.enter(account, "You are logged in.");
    let deleted = move |()| identity.leave("Everything of yours is deleted.");
    view! {
        <p class="lede">
            "You have no account, so everything you make here is kept for this browser only. If its cookies are \
             cleared, nobody can get to it again."
        </p>
        <div class="account-cards">
            <Card
                id="register"
                title="Register".to_owned()
                words=|| "You keep all that you made here, and reach it from every device with a name and a password."
            >
                <CredentialsForm purpose=Purpose::Register on_done=Callback::new(registered) />
            </Card>
            <Card
                id="log-in"
                title="Log in".to_owned()
                words=|| "You have an account already? What you made in this browser moves to it."
            >
                <CredentialsForm purpose=Purpose::LogIn on_done=Callback::new(logged_in) />
            </Card>
            <Data proof=Proof::Word on_deleted=Callback::new(deleted) />
        </div>
    }
}

/// What somebody with an account sees.
#[component]
fn Registered(
    name: String,
    /// When they registered, RFC 3339.
    since: Option<String>,
    identity: Identity,
) -> impl IntoView {
    let left = move |told| identity.leave(told);
    let deleted = move |()| identity.leave("Your account and everything of yours is deleted.");
    let since = since.map(|since| format!("Registered on {}. ", day(&since)));
    let title = name.clone();
    view! {
        <Card
            id="who"
            title=title
            words=move || {
                view! {
                    {since.clone()}
                    "All that you make is in your account, on every device where you log in."
                }
            }
        >
            <LogOut on_done=Callback::new(left) />
        </Card>
        <div class="account-cards">
            <Card
                id="password"
                title="Change password".to_owned()
                words=|| "You stay logged in here, and are logged out on every other device."
            >
                <PasswordForm name=name />
            </Card>
            <Card
                id="tokens"
                title="API tokens".to_owned()
                words=|| "A script that sends a token acts as you, but can’t change your account. Keep it as secret as a password."
            >
                <ApiTokens />
            </Card>
            <Data proof=Proof::Password on_deleted=Callback::new(deleted) />
        </div>
    }
}

/// What everybody may do with what is theirs.
#[component]
fn Data(proof: Proof, on_deleted: Callback<()>) -> impl IntoView {
    view! {
        <Card
            id="data"
            title="Your data".to_owned()
            words=|| "A ZIP archive with all that Predilect knows of you: account, choices, profiles, votes and pictures."
        >
            <DataDownload />
        </Card>
        <Card
            id="deletion"
            title="Delete everything".to_owned()
            words=|| "Account, choices, profiles, votes and pictures, at once and for good. Nothing of it can be brought back."
        >
            <DeletionForm proof=proof on_done=on_deleted />
        </Card>
    }
}
