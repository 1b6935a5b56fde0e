//! The name with its mark: two pictures, one of them preferred.

use leptos::prelude::*;

#[component]
pub(crate) fn Wordmark() -> impl IntoView {
    view! {
        <span class="wordmark">
            <svg class="wordmark-mark" viewBox="0 0 32 32" width="28" height="28" aria-hidden="true" focusable="false">
                <rect class="wordmark-other" x="2.5" y="9" width="16.5" height="16.5" rx="5" transform="rotate(-8 11 17)" />
                <rect class="wordmark-preferred" x="12" y="6" width="18" height="18" rx="5.5" transform="rotate(6 21 15)" />
            </svg>
            "predilect"
        </span>
    }
}
