//! What can be done with the selected pictures.

use crate::components::confirm::Confirm;
use crate::format;
use leptos::prelude::*;

/// How many pictures are selected, and the buttons for all of them at once.
#[component]
pub(crate) fn SelectionBar(
    /// How many are selected.
    #[prop(into)]
    selected: Signal<usize>,
    /// Whether a request is under way, and the buttons wait.
    #[prop(into)]
    busy: Signal<bool>,
    /// Hears that all are to be selected.
    on_all: Callback<()>,
    /// Hears that none is to be.
    on_none: Callback<()>,
    /// Hears that they are wanted as an archive.
    on_download: Callback<()>,
    /// Hears that they are to be deleted.
    on_delete: Callback<()>,
) -> impl IntoView {
    let count = move || format::count(selected.get() as u64, "picture", "pictures");
    let waits = move || busy.get().to_string();
    let unless_busy = move |then: Callback<()>| {
        if !busy.get_untracked() {
            then.run(());
        }
    };
    // Made anew with each number, so that what is asked is what is meant.
    let delete = move || {
        let question = format!(
            "Delete {} for good? Their files and how they were drawn are deleted, and nobody can bring them back.",
            count()
        );
        view! {
            <Confirm
                label="Delete"
                name="Delete selected pictures"
                question=question
                yes="Yes, delete"
                no="Keep them"
                on_yes=Callback::new(move |()| unless_busy(on_delete))
            />
        }
    };
    view! {
        <div class="selection-bar" role="group" aria-label="Selected pictures">
            <p class="selection-count" role="status">
                {move || (selected.get() > 0).then(|| format!("{} selected", count()))}
            </p>
            <button
                type="button"
                class="button plain"
                aria-disabled=waits
                on:click=move |_| unless_busy(on_all)
            >
                "Select all"
            </button>
            <Show when=move || { selected.get() > 0 }>
                <button type="button" class="button plain" on:click=move |_| on_none.run(())>
                    "Select none"
                </button>
                <button type="button" class="button" aria-disabled=waits on:click=move |_| unless_busy(on_download)>
                    "Download ZIP"
                </button>
                {delete}
            </Show>
        </div>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bar(selected: usize) -> String {
        view! {
            <SelectionBar
                selected=selected
                busy=false
                on_all=Callback::new(|()| ())
                on_none=Callback::new(|()| ())
                on_download=Callback::new(|()| ())
                on_delete=Callback::new(|()| ())
            />
        }
        .to_html()
    }

    #[test]
    fn only_what_is_selected_can_be_downloaded_and_deleted() {
        let none = bar(0);
        assert!(none.contains("Select all"), "{none}");
        assert!(
            !none.contains("Download") && !none.contains("Delete"),
            "{none}"
        );
        let some = bar(3);
        for expected in [
            "3 pictures selected",
            "Select none",
            "Download ZIP",
            "Delete selected pictures",
        ] {
            assert!(some.contains(expected), "{expected} in {some}");
        }
    }
}
