//! An address that leads nowhere.

use crate::components::page_heading::PageHeading;
use leptos::prelude::*;

/// Says so, and the way back.
#[component]
pub(crate) fn NotFound() -> impl IntoView {
    view! {
        <div class="not-found">
            <PageHeading tab="Not found" text="There is nothing here".to_owned() />
            <p class="lede">"The address may be mistyped, or the page has moved."</p>
            <a class="button primary" href="/">
                "To the start"
            </a>
        </div>
    }
}
