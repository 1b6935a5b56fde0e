//! Predilect's page, rendered in the browser.
//!
//! [`client`] speaks the API, [`pages`] hold what a route shows and its state, [`components`]
//! are the parts the pages are made of, each with its stylesheet beside it.

// The type of a page is its whole tree of elements.
#![recursion_limit = "256"]
#![expect(
    unreachable_pub,
    reason = "#[component] writes `pub` on what it makes of a component"
)]

mod app;
mod client;
mod clipboard;
mod components;
mod date;
mod drawing;
mod focus;
mod format;
mod keys;
mod pages;
mod recipe;

use wasm_bindgen::prelude::wasm_bindgen;

/// Puts the page into the document's body; the browser calls it once the wasm is loaded.
#[wasm_bindgen(start)]
pub fn start() {
    leptos::mount::mount_to_body(app::App);
}
