//! The band on top of every page: name, pages, theme.

use crate::components::theme_toggle::ThemeToggle;
use crate::components::wordmark::Wordmark;
use leptos::prelude::*;
use leptos_router::components::A;

#[component]
pub(crate) fn Header() -> impl IntoView {
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
                <A href="/profiles">"Profiles"</A>
                <A href="/account">"Account"</A>
            </nav>
            <ThemeToggle />
        </header>
    }
}
