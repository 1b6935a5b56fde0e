//! The statistics of surveys against the same numbers from statsmodels, scipy and
//! krippendorff, on votes simulated once: `generate.py` made both files.
#![allow(
    clippy::unwrap_used,
    reason = "a helper of a test that panics has failed the test"
)]

use std::{fs, path::PathBuf};

use predilect_statistics::{
    Interval, Ties, Verdict, Vote, WinRate, agreement, bootstrap, bradley_terry, response_times,
    side_bias, wilson,
};
use serde::Deserialize;

/// What two implementations of one formula may differ by.
const EXACT: f64 = 1e-9;
/// What an iterative fit may differ by.
const FITTED: f64 = 1e-6;
/// What two bootstraps with different random numbers may differ by: rates in a bootstrap of
/// 24 participants lie about this far apart.
const RESAMPLED: f64 = 0.006;
const ARMS: usize = 3;

#[derive(Deserialize)]
struct Expected {
    paper: Vec<Paper>,
    win_rates: Vec<ExpectedRate>,
    bradley_terry: Vec<ExpectedStrength>,
    side_bias: ExpectedSides,
    agreement: ExpectedAgreement,
    response_times: ExpectedTimes,
}

#[derive(Deserialize)]
struct Paper {
    wins: u32,
    n: u64,
    wilson: [f64; 2],
}

#[derive(Deserialize)]
struct ExpectedRate {
    arm: usize,
    against: Option<usize>,
    ties: String,
    n: u64,
    rate: f64,
    wilson: [f64; 2],
    bootstrap: [f64; 2],
}

#[derive(Deserialize)]
struct ExpectedStrength {
    log_odds: f64,
    interval: [f64; 2],
}

#[derive(Deserialize)]
struct ExpectedSides {
    left: u64,
    right: u64,
    wilson: [f64; 2],
    p_value: f64,
}

#[derive(Deserialize)]
struct ExpectedAgreement {
    items: usize,
    alpha: f64,
}

#[derive(Deserialize)]
struct ExpectedTimes {
    median_ms: f64,
    fast_ms: f64,
    slow_ms: f64,
    outliers: Vec<usize>,
}

fn read(name: &str) -> String {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/statistics");
    fs::read_to_string(folder.join(name)).unwrap()
}

fn expected() -> Expected {
    serde_json::from_str(&read("expected.json")).unwrap()
}

fn votes() -> Vec<Vote> {
    let text = read("votes.csv");
    text.lines().skip(1).map(vote).collect()
}

fn vote(line: &str) -> Vote {
    let fields: Vec<_> = line.split(',').collect();
    let [participant, item, left, right, verdict, response_ms] = fields[..] else {
        panic!("{line}")
    };
    Vote {
        participant: participant.parse().unwrap(),
        item: item.parse().unwrap(),
        left: left.parse().unwrap(),
        right: right.parse().unwrap(),
        verdict: match verdict {
            "left" => Verdict::Left,
            "right" => Verdict::Right,
            "tie" => Verdict::Tie,
            "both_bad" => Verdict::BothBad,
            other => panic!("{other}"),
        },
        response_ms: response_ms.parse().unwrap(),
    }
}

#[track_caller]
fn close(found: f64, expected: f64, within: f64) {
    assert!(
        (found - expected).abs() <= within * expected.abs().max(1.0),
        "{found} instead of {expected}"
    );
}

#[track_caller]
fn interval_close(found: Interval, expected: [f64; 2], within: f64) {
    close(found.low, expected[0], within);
    close(found.high, expected[1], within);
}

#[test]
fn the_papers_case_has_the_interval_of_statsmodels() {
    for case in expected().paper {
        let found = wilson(f64::from(case.wins), case.n).unwrap();
        interval_close(found, case.wilson, EXACT);
        assert!(found.excludes(0.5));
    }
}

#[test]
fn win_rates_are_those_of_statsmodels_and_scipy() {
    let votes = votes();
    for expected in expected().win_rates {
        let ties = match expected.ties.as_str() {
            "half" => Ties::AsHalf,
            _ => Ties::LeftOut,
        };
        let counts = WinRate::of(&votes, expected.arm, expected.against);
        let found = counts.rate(ties).unwrap();
        assert_eq!(found.n, expected.n);
        close(found.rate, expected.rate, EXACT);
        interval_close(found.wilson, expected.wilson, EXACT);
        let resampled = bootstrap(&votes, expected.arm, expected.against, ties, 20_000, 5).unwrap();
        close(resampled.rate, expected.rate, EXACT);
        interval_close(resampled.interval, expected.bootstrap, RESAMPLED);
    }
}

#[test]
fn strengths_are_those_of_a_logistic_regression_with_clustered_errors() {
    let found = bradley_terry(&votes(), ARMS).unwrap();
    let expected = expected().bradley_terry;
    assert_eq!(found.strengths.len(), expected.len());
    for (found, expected) in found.strengths.iter().zip(expected) {
        close(found.log_odds, expected.log_odds, FITTED);
        interval_close(found.interval, expected.interval, FITTED);
    }
}

#[test]
fn the_side_bias_is_that_of_scipys_binomial_test() {
    let (found, expected) = (side_bias(&votes()).unwrap(), expected().side_bias);
    assert_eq!((found.left, found.right), (expected.left, expected.right));
    interval_close(found.wilson, expected.wilson, EXACT);
    close(found.p_value, expected.p_value, EXACT);
}

#[test]
fn agreement_is_krippendorffs_alpha() {
    let (found, expected) = (agreement(&votes()).unwrap(), expected().agreement);
    assert_eq!(found.items, expected.items);
    close(found.alpha.unwrap(), expected.alpha, EXACT);
}

#[test]
fn outliers_are_those_of_scipys_median_absolute_deviation() {
    let (found, expected) = (response_times(&votes()).unwrap(), expected().response_times);
    assert_eq!(found.outliers, expected.outliers);
    close(found.median_ms, expected.median_ms, EXACT);
    close(found.fast_ms, expected.fast_ms, EXACT);
    close(found.slow_ms, expected.slow_ms, EXACT);
}
