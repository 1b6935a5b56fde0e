//! The settings of a picture, out of its file.

use crate::components::notice::Notice;
use crate::recipe::Recipe;
use leptos::ev::{self, DragEvent};
use leptos::prelude::*;
use leptos::task::spawn_local;
use wasm_bindgen_futures::JsFuture;
use web_sys::js_sys::Uint8Array;
use web_sys::{File, FileList, HtmlInputElement};

/// Takes a downloaded PNG that is picked here, or dropped anywhere on the page.
#[component]
pub(crate) fn RecipePicker(
    /// Hears how the picture was drawn.
    on_recipe: Callback<Recipe>,
) -> impl IntoView {
    let fault = RwSignal::new(None);
    let take = move |files: Option<FileList>| {
        let Some(file) = files.and_then(|files| files.get(0)) else {
            return;
        };
        spawn_local(async move {
            let recipe = read(&file).await;
            // The page may be gone by now.
            if fault.try_set(None).is_some() {
                return;
            }
            match recipe {
                Some(recipe) => on_recipe.run(recipe),
                None => fault.set(Some(format!(
                    "“{}” doesn't say how it was drawn. Take a PNG that was downloaded here and not edited since.",
                    file.name()
                ))),
            }
        });
    };
    Effect::new(move || {
        // Without this a browser shows the file in place of the page.
        let over = window_event_listener(ev::dragover, move |event| {
            if has_files(&event) {
                event.prevent_default();
            }
        });
        let drop = window_event_listener(ev::drop, move |event| {
            if has_files(&event) {
                event.prevent_default();
                take(event.data_transfer().and_then(|dropped| dropped.files()));
            }
        });
        on_cleanup(move || {
            over.remove();
            drop.remove();
        });
    });
    let pick = move |event| {
        let input: HtmlInputElement = event_target(&event);
        take(input.files());
        // So that the same file can be picked once more.
        input.set_value("");
    };
    view! {
        <div class="recipe-picker">
            <p class="quiet">
                "To draw like an earlier picture, drop its PNG on this page or "
                <label class="recipe-file">
                    "choose the file"
                    <input type="file" accept="image/png" on:change=pick />
                </label>
            </p>
            <Notice message=fault />
        </div>
    }
}

fn has_files(event: &DragEvent) -> bool {
    let files = event.data_transfer().map(|dragged| dragged.types());
    files.is_some_and(|types| types.includes(&"Files".into(), 0))
}

async fn read(file: &File) -> Option<Recipe> {
    let bytes = JsFuture::from(file.array_buffer()).await.ok()?;
    Recipe::of_png(&Uint8Array::new(&bytes).to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_can_be_chosen_without_dragging() {
        let html = view! { <RecipePicker on_recipe=Callback::new(|_| ()) /> }.to_html();
        for expected in ["type=\"file\"", "accept=\"image/png\"", "choose the file"] {
            assert!(html.contains(expected), "{expected} in {html}");
        }
    }
}
