//! Numbers as people read them, the same on every page.

use predilect_api::{BlendedProfile, ConfidenceInterval};

/// A share of one: "75.0 %".
pub(crate) fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

/// An interval of shares: "47.0 to 75.8 %".
pub(crate) fn percent_interval(interval: ConfidenceInterval) -> String {
    format!(
        "{:.1} to {:.1} %",
        interval.low * 100.0,
        interval.high * 100.0
    )
}

/// A number that may lie on either side of zero: "+0.55", "−0.10".
pub(crate) fn signed(number: f64) -> String {
    let text = format!("{number:+.2}");
    if text == "-0.00" || text == "+0.00" {
        return "0.00".into();
    }
    text.replace('-', "−")
}

/// An interval around zero: "−0.10 to +1.20".
pub(crate) fn signed_interval(interval: ConfidenceInterval) -> String {
    format!("{} to {}", signed(interval.low), signed(interval.high))
}

/// A p value: three digits, and no more than they can tell.
pub(crate) fn p_value(p: f64) -> String {
    if p < 0.001 {
        "below 0.001".into()
    } else {
        format!("{p:.3}")
    }
}

/// A duration in milliseconds, in seconds: "1.2 s".
pub(crate) fn seconds(milliseconds: f64) -> String {
    format!("{:.1} s", milliseconds / 1000.0)
}

/// A number of things: "1 vote", "2 votes".
pub(crate) fn count(number: impl Into<u64>, one: &str, several: &str) -> String {
    match number.into() {
        1 => format!("1 {one}"),
        number => format!("{number} {several}"),
    }
}

/// What is wrong with a field, as a sentence; the server says what the value must be.
pub(crate) fn fault(label: &str, message: &str) -> String {
    format!("{label} {message}.")
}

/// The model's words for a taste, which speak of a person to somebody else.
pub(crate) fn quoted_taste(description: &str) -> String {
    format!("Read from the choices: “{description}”")
}

/// Whom a picture was drawn for: "30 % Ana, 70 % Bo".
pub(crate) fn blend(profiles: &[BlendedProfile]) -> String {
    let sum: f32 = profiles.iter().map(|part| part.weight).sum();
    match profiles {
        [] => "No profile".into(),
        [only] => only.name.clone(),
        several => several
            .iter()
            .map(|part| format!("{:.0} % {}", 100.0 * part.weight / sum, part.name))
            .collect::<Vec<_>>()
            .join(", "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_have_one_decimal() {
        assert_eq!(percent(0.75), "75.0 %");
        let interval = ConfidenceInterval {
            low: 0.46996,
            high: 0.758,
        };
        assert_eq!(percent_interval(interval), "47.0 to 75.8 %");
    }

    #[test]
    fn a_sign_is_a_minus_and_zero_has_none() {
        assert_eq!(
            (signed(0.549).as_str(), signed(-0.1).as_str()),
            ("+0.55", "−0.10")
        );
        assert_eq!(
            (signed(-0.001).as_str(), signed(0.0).as_str()),
            ("0.00", "0.00")
        );
        let interval = ConfidenceInterval {
            low: -0.1,
            high: 1.2,
        };
        assert_eq!(signed_interval(interval), "−0.10 to +1.20");
    }

    #[test]
    fn a_p_value_is_not_more_exact_than_it_can_be() {
        assert_eq!(
            (p_value(0.0212).as_str(), p_value(1e-9).as_str()),
            ("0.021", "below 0.001")
        );
    }

    #[test]
    fn the_rest_reads_as_words() {
        assert_eq!(seconds(1234.0), "1.2 s");
        assert_eq!(count(1_u32, "vote", "votes"), "1 vote");
        assert_eq!(count(0_u32, "vote", "votes"), "0 votes");
    }
}
