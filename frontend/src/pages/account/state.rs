//! Who is asking, and how that changes.

use crate::client::{self, Answer, ClientError};
use leptos::prelude::*;
use leptos::task::spawn_local;
use predilect_api::Account;

/// What the page shows.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Stage {
    Loading,
    Failed(ClientError),
    Known(Account),
}

/// The state of the Account page.
#[derive(Clone, Copy)]
pub(super) struct Identity {
    pub(super) stage: RwSignal<Stage>,
    /// What has just happened to the account, in words; empty before anything has.
    pub(super) told: RwSignal<String>,
}

impl Identity {
    pub(super) fn new() -> Self {
        Self {
            stage: RwSignal::new(Stage::Loading),
            told: RwSignal::new(String::new()),
        }
    }

    /// Finds out who is asking and shows it.
    pub(super) fn load(self) {
        spawn_local(async move {
            self.stage.try_set(match read().await {
                Ok(account) => Stage::Known(account),
                Err(error) => Stage::Failed(error),
            });
        });
    }

    /// The person has come to have `account`.
    pub(super) fn enter(self, account: Account, told: &str) {
        self.stage.set(Stage::Known(account));
        self.told.set(told.to_owned());
    }

    /// The session has ended; whoever comes next starts another.
    pub(super) fn leave(self, told: &str) {
        self.told.set(told.to_owned());
        self.load();
    }
}

async fn read() -> Answer<Account> {
    client::start_session().await?;
    client::account().await
}
