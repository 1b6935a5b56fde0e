//! Numbers in rows and columns.

use leptos::prelude::*;

/// A table with a caption and a header for every row and column. Where it is wider than its
/// place, it scrolls by itself, also by keyboard.
#[component]
pub(crate) fn DataTable(
    /// What the numbers are; also the scrolling region's name.
    caption: &'static str,
    /// The columns' headers, that of the row headers included.
    columns: &'static [&'static str],
    /// The rows; the first cell is the row's header.
    rows: Vec<Vec<String>>,
) -> impl IntoView {
    let heads = columns
        .iter()
        .map(|column| view! { <th scope="col">{*column}</th> })
        .collect_view();
    let rows = rows
        .into_iter()
        .map(|row| {
            let mut cells = row.into_iter();
            let header = cells.next();
            let cells = cells.map(|cell| view! { <td>{cell}</td> }).collect_view();
            view! {
                <tr>
                    <th scope="row">{header}</th>
                    {cells}
                </tr>
            }
        })
        .collect_view();
    view! {
        <div class="data-table" role="region" aria-label=caption tabindex="0">
            <table>
                <caption>{caption}</caption>
                <thead>
                    <tr>{heads}</tr>
                </thead>
                <tbody>{rows}</tbody>
            </table>
        </div>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_and_column_has_its_header() {
        let rows = vec![
            vec!["a".into(), "1".into()],
            vec!["b".to_owned(), "2".to_owned()],
        ];
        let html =
            view! { <DataTable caption="Votes" columns=&["Arm", "Won"] rows=rows /> }.to_html();
        assert_eq!(html.matches("scope=\"col\"").count(), 2, "{html}");
        assert_eq!(html.matches("scope=\"row\"").count(), 2, "{html}");
        for expected in ["<caption>Votes", "tabindex=\"0\"", ">1<", ">2<"] {
            assert!(html.contains(expected), "{expected} in {html}");
        }
    }
}
