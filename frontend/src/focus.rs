//! Where the focus goes when what had it leaves the page.

use leptos::prelude::*;
use wasm_bindgen::JsCast;
use web_sys::{Element, HtmlElement};

/// Focuses what `find` finds once the page shows what has just changed: effects and views
/// learn of a change in no certain order.
pub(crate) fn focus_next(find: impl FnOnce() -> Option<HtmlElement> + 'static) {
    request_animation_frame(move || {
        if let Some(element) = find() {
            // Fails only for an element outside the document.
            let _ = element.focus();
        }
    });
}

/// The first element inside `place` that `selector` describes.
pub(crate) fn first_in(place: &Element, selector: &str) -> Option<HtmlElement> {
    place
        .query_selector(selector)
        .ok()
        .flatten()
        .and_then(|element| element.dyn_into().ok())
}
