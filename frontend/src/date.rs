//! Moments as the API writes them, for people.

/// The day of a moment in RFC 3339.
pub(crate) fn day(moment: &str) -> &str {
    moment.split_once('T').map_or(moment, |(day, _)| day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_day_is_what_stands_before_the_time() {
        assert_eq!(day("2026-11-23T08:15:00Z"), "2026-11-23");
    }
}
