//! A part of a page with a heading of its own.

use leptos::prelude::*;

/// A titled panel, which screen readers list by its title.
#[component]
pub(crate) fn Card(
    /// Unique on the page.
    id: &'static str,
    /// The heading.
    #[prop(into)]
    title: Signal<String>,
    /// What it is for.
    #[prop(into)]
    words: ViewFn,
    /// What is in it.
    children: Children,
) -> impl IntoView {
    view! {
        <section class="card panel" aria-labelledby=id>
            <h2 id=id class="card-title" tabindex="-1">
                {title}
            </h2>
            <p class="card-words">{words.run()}</p>
            {children()}
        </section>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_named_by_its_heading() {
        let html = view! {
            <Card id="log-in" title="Log in".to_owned() words=|| "Come back.">
                "form"
            </Card>
        }
        .to_html();
        for expected in [
            "aria-labelledby=\"log-in\"",
            "id=\"log-in\"",
            "Log in",
            "Come back.",
            "form",
        ] {
            assert!(html.contains(expected), "{expected} in {html}");
        }
    }
}
