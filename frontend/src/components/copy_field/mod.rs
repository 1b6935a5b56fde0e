//! Text to be copied.

use crate::clipboard;
use crate::components::success::Success;
use crate::focus::focus_next;
use leptos::html::Input;
use leptos::prelude::*;
use leptos::task::spawn_local;

/// A line that can't be changed, and a button that copies it. It takes the focus as it
/// appears, all of it selected.
#[component]
pub(crate) fn CopyField(
    /// The line's id.
    id: &'static str,
    /// What it is.
    #[prop(into)]
    label: String,
    /// What is to be copied.
    value: String,
    /// What to know about it.
    words: &'static str,
) -> impl IntoView {
    let line = NodeRef::<Input>::new();
    let told = RwSignal::new(String::new());
    Effect::new(move || {
        if line.get().is_some() {
            focus_next(move || line.try_get_untracked().flatten().map(Into::into));
        }
    });
    let select = move |_| {
        if let Some(line) = line.get_untracked() {
            line.select();
        }
    };
    let text = StoredValue::new(value.clone());
    let copy = move |_| {
        spawn_local(async move {
            if clipboard::copy(&text.get_value()).await {
                told.try_set("Copied.".into());
            } else {
                // Focusing selects, and what is selected can be copied by hand.
                focus_next(move || line.try_get_untracked().flatten().map(Into::into));
                told.try_set(
                    "This browser does not let the page copy. It is selected: copy it by hand."
                        .into(),
                );
            }
        });
    };
    let words_id = format!("{id}-words");
    view! {
        <div class="field copy-field">
            <label for=id>{label}</label>
            <div class="copy-field-line">
                <input
                    id=id
                    node_ref=line
                    class="input copy-field-text"
                    type="text"
                    readonly
                    spellcheck="false"
                    value=value
                    aria-describedby=words_id.clone()
                    on:focus=select
                />
                <button type="button" class="button" on:click=copy>
                    "Copy"
                </button>
            </div>
            <div class="copy-field-below">
                <p id=words_id class="quiet">
                    {words}
                </p>
                <Success words=told />
            </div>
        </div>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_is_labelled_and_can_not_be_changed() {
        let html = view! {
            <CopyField id="new-token" label="New token" value="predilect_x".to_owned() words="Copy it now." />
        }
        .to_html();
        for expected in [
            "for=\"new-token\"",
            "readonly",
            "predilect_x",
            "Copy it now.",
            ">Copy<",
        ] {
            assert!(html.contains(expected), "{expected} in {html}");
        }
    }
}
