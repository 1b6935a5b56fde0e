//! Counting tests out of what the runners report.

use anyhow::{Context, Result};
use std::ops::AddAssign;

/// How many tests passed and failed, and the names of what failed.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) passed: u64,
    pub(super) failed: u64,
    pub(super) failures: Vec<String>,
}

impl Tally {
    /// A check that is no test: silent when it holds, one failure when not.
    pub(super) fn check(what: &str, outcome: Result<()>) -> Self {
        match outcome {
            Ok(()) => Self::default(),
            Err(error) => {
                eprintln!("{what}: {error:#}");
                Self {
                    passed: 0,
                    failed: 1,
                    failures: vec![what.to_owned()],
                }
            }
        }
    }

    /// Counts libtest's output: `test result: ok. 3 passed; 0 failed; …` per test program,
    /// and `test NAME ... FAILED` per failure.
    pub(super) fn of_cargo(output: &str) -> Self {
        let mut tally = Self::default();
        for line in output.lines() {
            if let Some(counts) = line.strip_prefix("test result: ") {
                tally.passed += count_before(counts, " passed");
                tally.failed += count_before(counts, " failed");
            } else if let Some(name) = line
                .strip_prefix("test ")
                .and_then(|rest| rest.strip_suffix(" ... FAILED"))
            {
                tally.failures.push(name.to_owned());
            }
        }
        tally
    }

    /// Counts Playwright's JSON report.
    ///
    /// # Errors
    /// When the report is no JSON or lacks its statistics.
    pub(super) fn of_playwright(report: &str) -> Result<Self> {
        let report: serde_json::Value =
            serde_json::from_str(report).context("Playwright's report is no JSON")?;
        let count = |name: &str| {
            report["stats"][name]
                .as_u64()
                .with_context(|| format!("Playwright's report has no stats.{name}"))
        };
        // A flaky test failed once, which is a failure here.
        let failed = count("unexpected")? + count("flaky")?;
        let failures = (failed > 0).then(|| format!("{failed} browser tests, named above"));
        Ok(Self {
            passed: count("expected")?,
            failed,
            failures: failures.into_iter().collect(),
        })
    }

    /// A runner that ended badly without naming a failed test (it did not compile, or crashed)
    /// counts as one failure.
    pub(super) fn settled(mut self, runner: &str, success: bool) -> Self {
        if !success && self.failed == 0 {
            self.failed = 1;
            self.failures
                .push(format!("{runner} ended with an error, see above"));
        }
        self
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.failures.extend(other.failures);
    }
}

fn count_before(line: &str, word: &str) -> u64 {
    line.split(word)
        .next()
        .and_then(|before| before.rsplit(' ').next())
        .and_then(|number| number.parse().ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::Tally;

    #[test]
    fn cargo_output_is_summed_over_its_test_programs() {
        let output = "running 2 tests\ntest a ... ok\ntest b::c ... FAILED\n\n\
            test result: FAILED. 1 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s\n\
            test result: ok. 12 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.00s\n";
        assert_eq!(
            Tally::of_cargo(output),
            Tally {
                passed: 13,
                failed: 1,
                failures: vec!["b::c".into()]
            }
        );
    }

    #[test]
    fn a_runner_that_did_not_compile_counts_as_a_failure() {
        let tally = Tally::of_cargo("").settled("cargo test", false);
        assert_eq!((tally.passed, tally.failed), (0, 1));
    }

    #[test]
    fn playwright_statistics_are_read_and_flaky_tests_fail() {
        let report = r#"{"stats":{"expected":5,"unexpected":1,"flaky":1,"skipped":0}}"#;
        let tally = Tally::of_playwright(report).unwrap();
        assert_eq!((tally.passed, tally.failed), (5, 2));
        assert!(Tally::of_playwright("{}").is_err());
    }
}
