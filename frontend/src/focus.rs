//! Where the focus goes when what had it leaves the page.

use leptos::prelude::*;
use wasm_bindgen::JsCast;
use web_sys::{Element, FocusOptions, HtmlElement};

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

/// Keeps the focus on what has it inside `place` through the change that comes now: an element
/// loses it when others are put before it in the document.
pub(crate) fn keep_focus(place: &Element) {
    let focused = document().active_element();
    let Some(focused) = focused.filter(|element| place.contains(Some(element))) else {
        return;
    };
    let Ok(focused) = focused.dyn_into::<HtmlElement>() else {
        return;
    };
    request_animation_frame(move || {
        let now = document().active_element();
        if now.is_none_or(|element| element.tag_name() == "BODY") {
            let in_place = FocusOptions::new();
            in_place.set_prevent_scroll(true);
            // Fails only for an element outside the document.
            let _ = focused.focus_with_options(&in_place);
        }
    });
}
