//! Win rates: who won how often, and how sure that is.

use crate::components::data_table::DataTable;
use crate::components::interval_chart::{IntervalChart, IntervalRow};
use crate::format::{percent, percent_interval};
use leptos::prelude::*;
use predilect_api::{ArmWinRate, WinRateEstimate};

const NOT_THERE: &str = "–";

/// The counts, then the rates with ties as half and with ties left out, each as a table and
/// drawn.
#[component]
pub(crate) fn WinRates(
    /// Each arm against all others, then against each.
    rates: Vec<ArmWinRate>,
) -> impl IntoView {
    let rates = told_once(rates);
    let counts = rates
        .iter()
        .map(|rate| {
            let numbers = [rate.wins, rate.losses, rate.ties, rate.both_bad];
            std::iter::once(label(rate))
                .chain(numbers.map(|number| number.to_string()))
                .collect()
        })
        .collect();
    let as_half = estimates(&rates, |rate| rate.ties_as_half.as_ref());
    let left_out = estimates(&rates, |rate| rate.ties_left_out.as_ref());
    view! {
        <div class="win-rates">
            <DataTable
                caption="Votes"
                columns=&["Arm", "Won", "Lost", "No difference", "Both bad"]
                rows=counts
            />
            <Estimates
                caption="Win rate, ties as half a win"
                words="“No difference” and “both bad” count as half a win for each side."
                estimates=as_half
            />
            <Estimates
                caption="Win rate, ties left out"
                words="Only votes that prefer a picture count."
                estimates=left_out
            />
        </div>
    }
}

/// One way to count ties: the numbers, and the chart of them.
#[component]
fn Estimates(
    caption: &'static str,
    words: &'static str,
    /// Labels, and the estimates where there are votes.
    estimates: Vec<(String, Option<WinRateEstimate>)>,
) -> impl IntoView {
    let drawn: Vec<_> = estimates
        .iter()
        .filter_map(|(label, estimate)| {
            estimate.as_ref().map(|estimate| IntervalRow {
                label: label.clone(),
                rate: estimate.rate,
                interval: estimate.wilson,
            })
        })
        .collect();
    let chart = (!drawn.is_empty()).then(|| {
        let label = format!(
            "{caption}, drawn: a dot for each rate, whiskers to the ends of Wilson's interval, and a line at 50 %. \
             The table has the same numbers."
        );
        view! { <IntervalChart label=label rows=drawn /> }
    });
    let rows = estimates
        .into_iter()
        .map(|(label, estimate)| row(label, estimate.as_ref()))
        .collect();
    view! {
        <div class="win-rates-part">
            <div class="win-rates-numbers">
                <DataTable
                    caption=caption
                    columns=&[
                        "Arm",
                        "n",
                        "Win rate",
                        "Wilson 95 %",
                        "Bootstrap 95 %",
                        "More votes until Wilson's interval excludes 50 %",
                    ]
                    rows=rows
                />
                <p class="quiet">{words}</p>
            </div>
            {chart}
        </div>
    }
}

/// With two arms, "against all others" is what "against the other" says already.
fn told_once(rates: Vec<ArmWinRate>) -> Vec<ArmWinRate> {
    let arms = rates.iter().filter(|rate| rate.against.is_none()).count();
    let told = |rate: &ArmWinRate| arms > 2 || rate.against.is_some();
    rates.into_iter().filter(told).collect()
}

fn label(rate: &ArmWinRate) -> String {
    let against = rate.against.as_deref().unwrap_or("all others");
    format!("{} against {against}", rate.arm)
}

fn estimates(
    rates: &[ArmWinRate],
    of: fn(&ArmWinRate) -> Option<&WinRateEstimate>,
) -> Vec<(String, Option<WinRateEstimate>)> {
    rates
        .iter()
        .map(|rate| (label(rate), of(rate).cloned()))
        .collect()
}

fn row(label: String, estimate: Option<&WinRateEstimate>) -> Vec<String> {
    let Some(estimate) = estimate else {
        let nothing = [NOT_THERE; 4].map(str::to_owned);
        return [label, "0".into()].into_iter().chain(nothing).collect();
    };
    let bootstrap = estimate
        .bootstrap
        .map_or_else(|| "needs two participants".into(), percent_interval);
    let more_votes = match estimate.more_votes {
        Some(0) => "excludes it".into(),
        Some(votes) => votes.to_string(),
        None => "can't be told at 50 %".into(),
    };
    vec![
        label,
        estimate.n.to_string(),
        percent(estimate.rate),
        percent_interval(estimate.wilson),
        bootstrap,
        more_votes,
    ]
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use predilect_api::ConfidenceInterval;

    fn estimate(more_votes: Option<u64>) -> WinRateEstimate {
        WinRateEstimate {
            n: 12,
            rate: 0.75,
            wilson: ConfidenceInterval {
                low: 0.467_694,
                high: 0.911_058,
            },
            bootstrap: Some(ConfidenceInterval {
                low: 0.5,
                high: 0.916_7,
            }),
            more_votes,
        }
    }

    pub(crate) fn rate(arm: &str, against: Option<&str>) -> ArmWinRate {
        ArmWinRate {
            arm: arm.into(),
            against: against.map(Into::into),
            wins: 9,
            losses: 3,
            ties: 0,
            both_bad: 0,
            ties_as_half: Some(estimate(Some(4))),
            ties_left_out: None,
        }
    }

    #[test]
    fn every_number_of_an_estimate_is_in_the_table() {
        let html =
            view! { <WinRates rates=vec![rate("guided", None), rate("guided", Some("plain"))] /> }
                .to_html();
        for expected in [
            "guided against plain",
            ">9<",
            ">3<",
            ">12<",
            ">75.0 %<",
            ">46.8 to 91.1 %<",
            ">50.0 to 91.7 %<",
            ">4<",
            "guided against plain: 75.0 %",
        ] {
            assert!(html.contains(expected), "{expected} in {html}");
        }
        // Ties left out has no votes, so nothing is drawn for it.
        assert_eq!(html.matches("role=\"img\"").count(), 1, "{html}");
    }

    #[test]
    fn with_two_arms_nothing_is_told_twice() {
        let two = [("a", None), ("a", Some("b")), ("b", None), ("b", Some("a"))];
        let rates = |pairs: &[(&str, Option<&str>)]| {
            told_once(
                pairs
                    .iter()
                    .map(|(arm, against)| rate(arm, *against))
                    .collect(),
            )
            .len()
        };
        assert_eq!(rates(&two), 2);
        let three = [two.as_slice(), &[("c", None), ("c", Some("a"))]].concat();
        assert_eq!(rates(&three), three.len());
    }

    #[test]
    fn what_is_missing_is_said() {
        let mut alone = estimate(None);
        alone.bootstrap = None;
        let cells = row("a against b".into(), Some(&alone));
        assert_eq!(
            &cells[4..],
            ["needs two participants", "can't be told at 50 %"]
        );
        assert_eq!(row("a".into(), Some(&estimate(Some(0))))[5], "excludes it");
    }
}
