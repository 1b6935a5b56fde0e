//! All that the votes of a survey say.

use crate::components::data_table::DataTable;
use crate::components::win_rates::WinRates;
use crate::format::{count, p_value, percent, percent_interval, seconds, signed, signed_interval};
use leptos::prelude::*;
use predilect_api::{
    AgreementResult, ArmStrength, ResponseTimeResult, SideBiasResult, SurveyResults,
};

const MEASURES: &[&str] = &["Measure", "Value"];

/// Results, each as a table with its headers; in words where there is nothing to compute.
#[component]
pub(crate) fn SurveyResultsView(
    /// As read last.
    results: SurveyResults,
) -> impl IntoView {
    let made_of = format!(
        "Made of {} by {}.",
        count(results.votes, "vote", "votes"),
        count(results.participants, "participant", "participants")
    );
    let win_rates = if results.votes == 0 {
        view! { <p>"There are no votes to count yet."</p> }.into_any()
    } else {
        view! { <WinRates rates=results.win_rates /> }.into_any()
    };
    let checks = [
        ("Passed", results.attention_passed.to_string()),
        ("Failed", results.attention_failed.to_string()),
    ];
    view! {
        <div class="results">
            <p class="results-made-of">{made_of}</p>
            <section class="results-part panel" aria-labelledby="win-rates">
                <h2 id="win-rates">"Win rates"</h2>
                {win_rates}
            </section>
            <section class="results-part panel" aria-labelledby="strengths">
                <h2 id="strengths">"All arms on one scale"</h2>
                {strengths(results.strengths, results.strengths_missing)}
            </section>
            <section class="results-part panel" aria-labelledby="trust">
                <h2 id="trust">"How far the votes can be trusted"</h2>
                <div class="results-measures">
                    {measures("Attention checks, by everybody", checks)}
                    {side_bias(results.side_bias)}
                    {agreement(results.agreement)}
                    {response_times(results.response_times)}
                </div>
            </section>
        </div>
    }
}

fn measures<const N: usize>(
    caption: &'static str,
    measured: [(&'static str, String); N],
) -> AnyView {
    let rows = measured
        .into_iter()
        .map(|(measure, value)| vec![measure.to_owned(), value])
        .collect();
    view! { <DataTable caption=caption columns=MEASURES rows=rows /> }.into_any()
}

/// Why a table is not there.
fn missing(caption: &'static str, why: &'static str) -> AnyView {
    view! {
        <div>
            <p class="label">{caption}</p>
            <p class="quiet">{why}</p>
        </div>
    }
    .into_any()
}

fn strengths(strengths: Option<Vec<ArmStrength>>, why_missing: Option<String>) -> AnyView {
    let Some(strengths) = strengths else {
        let why = why_missing.unwrap_or_default();
        return view! { <p>"Not computed: " {why} "."</p> }.into_any();
    };
    let rows = strengths
        .into_iter()
        .map(|strength| {
            vec![
                strength.arm,
                signed(strength.log_odds),
                signed_interval(strength.interval),
            ]
        })
        .collect();
    view! {
        <DataTable
            caption="Strengths after Bradley and Terry"
            columns=&["Arm", "Log-odds against an average arm", "95 % interval"]
            rows=rows
        />
        <p class="quiet">"Intervals take into account that votes of one participant belong together."</p>
    }
    .into_any()
}

fn side_bias(found: Option<SideBiasResult>) -> AnyView {
    const CAPTION: &str = "Side bias";
    let Some(bias) = found else {
        return missing(CAPTION, "No vote prefers a side yet.");
    };
    measures(
        CAPTION,
        [
            ("Votes for the left picture", bias.left.to_string()),
            ("Votes for the right picture", bias.right.to_string()),
            ("Share of left", percent(bias.left_rate)),
            ("Wilson 95 %", percent_interval(bias.wilson)),
            ("p, exact binomial test, two-sided", p_value(bias.p_value)),
        ],
    )
}

fn agreement(found: Option<AgreementResult>) -> AnyView {
    const CAPTION: &str = "Agreement between participants";
    let Some(agreement) = found else {
        return missing(CAPTION, "No item has two votes yet.");
    };
    let alpha = agreement
        .alpha
        .map_or_else(|| "all votes are the same".into(), signed);
    measures(
        CAPTION,
        [
            ("Items with two votes or more", agreement.items.to_string()),
            ("Votes on them", agreement.votes.to_string()),
            (
                "Pairs of votes that say the same",
                percent(agreement.observed),
            ),
            ("Krippendorff's alpha, nominal", alpha),
        ],
    )
}

fn response_times(found: Option<ResponseTimeResult>) -> AnyView {
    const CAPTION: &str = "Response times";
    let Some(times) = found else {
        return missing(CAPTION, "Too few votes, or their times don't differ.");
    };
    measures(
        CAPTION,
        [
            ("Median", seconds(times.median_ms)),
            ("Outliers are faster than", seconds(times.fast_ms)),
            ("Outliers are slower than", seconds(times.slow_ms)),
            ("Outliers", times.outliers.to_string()),
        ],
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::components::win_rates::tests::rate;
    use predilect_api::ConfidenceInterval;

    fn full() -> SurveyResults {
        let interval = |low, high| ConfidenceInterval { low, high };
        SurveyResults {
            votes: 12,
            participants: 3,
            attention_passed: 7,
            attention_failed: 2,
            win_rates: vec![rate("guided", None), rate("guided", Some("plain"))],
            strengths: Some(vec![ArmStrength {
                arm: "guided".into(),
                log_odds: 0.549,
                interval: interval(-0.1, 1.2),
            }]),
            strengths_missing: None,
            side_bias: Some(SideBiasResult {
                left: 6,
                right: 5,
                left_rate: 6.0 / 11.0,
                wilson: interval(0.28, 0.787),
                p_value: 1.0,
            }),
            agreement: Some(AgreementResult {
                items: 4,
                votes: 12,
                observed: 0.5,
                alpha: Some(0.25),
            }),
            response_times: Some(ResponseTimeResult {
                median_ms: 1234.0,
                fast_ms: 300.0,
                slow_ms: 9000.0,
                outliers: 1,
            }),
        }
    }

    #[test]
    fn everything_the_server_answers_is_shown() {
        let html = view! { <SurveyResultsView results=full() /> }.to_html();
        for expected in [
            "Made of 12 votes by 3 participants.",
            "75.0 %",
            "+0.55",
            "−0.10 to +1.20",
            ">7<",
            ">2<",
            ">6<",
            ">5<",
            ">54.5 %<",
            ">28.0 to 78.7 %<",
            ">1.000<",
            ">50.0 %<",
            ">+0.25<",
            ">1.2 s<",
            ">0.3 s<",
            ">9.0 s<",
        ] {
            assert!(html.contains(expected), "{expected} in {html}");
        }
    }

    #[test]
    fn what_is_not_there_yet_is_said_in_words() {
        let nothing = SurveyResults {
            votes: 0,
            participants: 0,
            attention_passed: 0,
            attention_failed: 0,
            win_rates: vec![],
            strengths: None,
            strengths_missing: Some("it takes two participants".into()),
            side_bias: None,
            agreement: None,
            response_times: None,
        };
        let html = view! { <SurveyResultsView results=nothing /> }.to_html();
        for expected in [
            "no votes to count yet",
            "it takes two participants",
            "No vote prefers a side yet.",
            "No item has two votes yet.",
            "Too few votes",
        ] {
            assert!(html.contains(expected), "{expected} in {html}");
        }
    }
}
