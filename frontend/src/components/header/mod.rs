//! The band on top of every page: name, pages, theme.

use crate::client::{self, ClientError};
use crate::components::theme_toggle::ThemeToggle;
use crate::components::wordmark::Wordmark;
use leptos::prelude::*;
use leptos::task::spawn_local;
use leptos_router::components::A;
use predilect_api::Role;

#[component]
pub(crate) fn Header() -> impl IntoView {
    let is_admin = RwSignal::new(false);
    Effect::new(move || {
        if client::session_changes() == 0 {
            return;
        }
        spawn_local(async move {
            match client::account().await {
                Ok(account) => is_admin.set(account.role == Role::Admin),
                Err(ClientError::Problem(_)) => is_admin.set(false),
                // Who can't be asked keeps the links they have; the page says what is wrong.
                Err(ClientError::Unreachable | ClientError::Unreadable { .. }) => {}
            }
        });
    });
    view! {
        <header class="header">
            <A href="/" attr:class="header-home" attr:aria-label="Predilect, start page">
                <Wordmark />
            </A>
            <nav class="header-pages" aria-label="Pages">
                <A href="/" exact=true>
                    "Choose"
                </A>
                <A href="/create">"Create"</A>
                <A href="/gallery">"Gallery"</A>
                <A href="/profiles">"Profiles"</A>
                <A href="/account">"Account"</A>
                <Show when=move || is_admin.get()>
                    <A href="/admin/surveys">"Admin"</A>
                </Show>
            </nav>
            <ThemeToggle />
        </header>
    }
}
