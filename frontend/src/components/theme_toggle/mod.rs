//! Switches between the light and the dark theme and remembers it.

use leptos::prelude::*;

const KEY: &str = "predilect-theme";

/// Whether the page is dark now: as chosen, else as the system wants it.
fn is_dark() -> bool {
    let chosen = document()
        .document_element()
        .and_then(|root| root.get_attribute("data-theme"));
    match chosen.as_deref() {
        Some("dark") => true,
        Some("light") => false,
        _ => window()
            .match_media("(prefers-color-scheme: dark)")
            .ok()
            .flatten()
            .is_some_and(|query| query.matches()),
    }
}

fn remember(theme: &str) {
    if let Some(root) = document().document_element() {
        // Both only fail where the browser forbids storage; the theme then lasts for this visit.
        let _ = root.set_attribute("data-theme", theme);
        if let Ok(Some(storage)) = window().local_storage() {
            let _ = storage.set_item(KEY, theme);
        }
    }
}

#[component]
pub(crate) fn ThemeToggle() -> impl IntoView {
    let dark = RwSignal::new(false);
    Effect::new(move || dark.set(is_dark()));
    let toggle = move |_| {
        remember(if is_dark() { "light" } else { "dark" });
        dark.set(is_dark());
    };
    let label = move || {
        if dark.get() {
            "Switch to the light theme"
        } else {
            "Switch to the dark theme"
        }
    };
    view! {
        <button type="button" class="theme-toggle" aria-label=label title=label on:click=toggle>
            <svg viewBox="0 0 24 24" width="22" height="22" aria-hidden="true" focusable="false">
                <circle cx="12" cy="12" r="8.2" fill="none" stroke="currentColor" stroke-width="1.8" />
                <path d="M12 3.8a8.2 8.2 0 0 1 0 16.4z" fill="currentColor" />
            </svg>
        </button>
    }
}
