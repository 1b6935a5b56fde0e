//! The keys of the Choose page: ← → prefer, ↑ no preference, ↓ skip, Backspace undo.

use super::state::Choosing;
use leptos::ev::{self, KeyboardEvent};
use leptos::prelude::*;
use predilect_api::Choice;
use wasm_bindgen::JsCast;
use web_sys::HtmlElement;

/// Listens while the page is shown.
pub(super) fn listen(choosing: Choosing) {
    Effect::new(move || {
        let handle = window_event_listener(ev::keydown, move |event| on_key(choosing, &event));
        on_cleanup(move || handle.remove());
    });
}

fn on_key(choosing: Choosing, event: &KeyboardEvent) {
    let modified = event.ctrl_key() || event.alt_key() || event.meta_key() || event.shift_key();
    if modified || event.repeat() || is_typing(event) {
        return;
    }
    match event.key().as_str() {
        "ArrowLeft" => choosing.choose(Choice::Left),
        "ArrowRight" => choosing.choose(Choice::Right),
        "ArrowUp" => choosing.choose(Choice::Tie),
        "ArrowDown" => choosing.choose(Choice::Skip),
        "Backspace" => choosing.undo(),
        _ => return,
    }
    event.prevent_default();
}

/// Whether the key goes into a field.
fn is_typing(event: &KeyboardEvent) -> bool {
    let target = event
        .target()
        .and_then(|target| target.dyn_into::<HtmlElement>().ok());
    target.is_some_and(|element| {
        matches!(element.tag_name().as_str(), "INPUT" | "TEXTAREA" | "SELECT")
    })
}
