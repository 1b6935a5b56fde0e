//! Keys that work anywhere on a page.

use leptos::ev::{self, KeyboardEvent};
use leptos::prelude::*;
use wasm_bindgen::JsCast;
use web_sys::HtmlElement;

/// Tells `on_key` of every key pressed by itself while the page is shown; it answers whether
/// the key meant something, and the browser then does nothing else with it. Keys that go into
/// a field, belong to a shortcut or repeat while held are not told.
pub(crate) fn listen(on_key: impl Fn(&str) -> bool + Clone + 'static) {
    Effect::new(move || {
        let on_key = on_key.clone();
        let handle = window_event_listener(ev::keydown, move |event| {
            let modified =
                event.ctrl_key() || event.alt_key() || event.meta_key() || event.shift_key();
            if modified || event.repeat() || is_typing(&event) {
                return;
            }
            if on_key(&event.key()) {
                event.prevent_default();
            }
        });
        on_cleanup(move || handle.remove());
    });
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
