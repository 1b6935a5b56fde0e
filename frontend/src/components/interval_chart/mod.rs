//! Win rates and their intervals, drawn.

use crate::format::percent;
use leptos::prelude::*;
use predilect_api::ConfidenceInterval;

/// A rate with its interval.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct IntervalRow {
    /// What it is the rate of.
    pub(crate) label: String,
    /// 0 to 1.
    pub(crate) rate: f64,
    pub(crate) interval: ConfidenceInterval,
}

/// For each row a dot at the rate and whiskers to the interval's ends, over a line at 50 %.
/// A picture for those who see it; the table beside it has the numbers.
#[component]
pub(crate) fn IntervalChart(
    /// What is drawn, in words.
    #[prop(into)]
    label: String,
    /// From top to bottom.
    rows: Vec<IntervalRow>,
) -> impl IntoView {
    let rows = rows
        .into_iter()
        .map(|row| {
            let words = format!("{}: {}", row.label, percent(row.rate));
            view! {
                <p class="interval-label">{words}</p>
                <Lane rate=row.rate interval=row.interval />
            }
        })
        .collect_view();
    view! {
        <div class="interval-chart" role="img" aria-label=label>
            {rows}
            <div class="interval-scale">
                <span>"0 %"</span>
                <span>"50 %"</span>
                <span>"100 %"</span>
            </div>
        </div>
    }
}

/// As wide as there is room: positions across are shares of the width, so nothing is distorted.
#[component]
fn Lane(rate: f64, interval: ConfidenceInterval) -> impl IntoView {
    let at = |share: f64| format!("{:.2}%", share * 100.0);
    let (low, high) = (at(interval.low), at(interval.high));
    view! {
        <svg class="interval-lane" width="100%" height="24" focusable="false">
            <line class="interval-track" x1="0" x2="100%" y1="12" y2="12" />
            <line class="interval-half" x1="50%" x2="50%" y1="0" y2="24" />
            <line class="interval-whisker" x1=low.clone() x2=high.clone() y1="12" y2="12" />
            <line class="interval-whisker" x1=low.clone() x2=low y1="7" y2="17" />
            <line class="interval-whisker" x1=high.clone() x2=high y1="7" y2="17" />
            <circle class="interval-dot" cx=at(rate) cy="12" r="5" />
        </svg>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dot_and_whiskers_are_where_the_numbers_are() {
        let rows = vec![IntervalRow {
            label: "guided against plain".into(),
            rate: 0.75,
            interval: ConfidenceInterval {
                low: 0.467_694,
                high: 0.911_058,
            },
        }];
        let html = view! { <IntervalChart label="Win rates" rows=rows /> }.to_html();
        for expected in [
            "role=\"img\"",
            "aria-label=\"Win rates\"",
            "guided against plain: 75.0 %",
            "cx=\"75.00%\"",
            "x1=\"46.77%\"",
            "x2=\"91.11%\"",
            "x1=\"50%\"",
        ] {
            assert!(html.contains(expected), "{expected} in {html}");
        }
    }
}
