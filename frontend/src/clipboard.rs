//! The clipboard.

use leptos::prelude::window;
use wasm_bindgen_futures::JsFuture;

/// Puts `text` on the clipboard; false where the browser forbids it, as on a page that came
/// over plain HTTP from another machine.
pub(crate) async fn copy(text: &str) -> bool {
    // Without it there is no clipboard to call.
    window().is_secure_context()
        && JsFuture::from(window().navigator().clipboard().write_text(text))
            .await
            .is_ok()
}
