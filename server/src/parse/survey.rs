use std::ops::RangeInclusive;

use predilect_api::{Audience, FieldError, MAX_NAME_CHARS, NewSurvey};

use super::{FieldErrors, plain_text, whole};

const ARMS: RangeInclusive<usize> = 2..=8;
const TARGET_VOTES: RangeInclusive<u32> = 1..=1_000_000;
const DAILY_CAP: RangeInclusive<u32> = 1..=1000;
const DEFAULT_DAILY_CAP: u32 = 50;
const ATTENTION_EVERY: RangeInclusive<u32> = 0..=1000;
const DEFAULT_ATTENTION_EVERY: u32 = 15;

/// A survey within all limits.
#[derive(Clone, Debug)]
pub struct ParsedSurvey {
    pub(crate) name: String,
    pub(crate) arms: Vec<String>,
    pub(crate) audience: Audience,
    pub(crate) target_votes: u32,
    pub(crate) daily_cap: u32,
    pub(crate) attention_every: u32,
}

impl ParsedSurvey {
    /// Parses every field, so that an admin hears of all mistakes at once.
    ///
    /// # Errors
    /// What is allowed, for each field at fault.
    pub fn parse(new: NewSurvey) -> Result<Self, Vec<FieldError>> {
        let mut errors = FieldErrors::default();
        let name = errors.take("name", plain_text(&new.name, MAX_NAME_CHARS));
        let arms = parse_arms(&new.arms, &mut errors);
        let target_votes = errors.take("target_votes", whole(new.target_votes, TARGET_VOTES));
        let asked = |value: Option<i64>, default, allowed| {
            value.map_or(Ok(default), |value| whole(value, allowed))
        };
        let daily_cap = errors.take(
            "daily_cap",
            asked(new.daily_cap, DEFAULT_DAILY_CAP, DAILY_CAP),
        );
        let attention_every = errors.take(
            "attention_every",
            asked(
                new.attention_every,
                DEFAULT_ATTENTION_EVERY,
                ATTENTION_EVERY,
            ),
        );
        match (name, arms, target_votes, daily_cap, attention_every) {
            (
                Some(name),
                Some(arms),
                Some(target_votes),
                Some(daily_cap),
                Some(attention_every),
            ) => Ok(Self {
                name,
                arms,
                audience: new.audience,
                target_votes,
                daily_cap,
                attention_every,
            }),
            _ => Err(errors.into_vec()),
        }
    }
}

/// What results are cut by: on one line, like a name.
pub(crate) fn prompt_group(text: &str) -> Result<String, String> {
    plain_text(text, MAX_NAME_CHARS)
}

fn parse_arms(names: &[String], errors: &mut FieldErrors) -> Option<Vec<String>> {
    if !ARMS.contains(&names.len()) {
        let (least, most) = (ARMS.start(), ARMS.end());
        errors.add("arms", format!("must name {least} to {most} arms"));
        return None;
    }
    let mut arms: Vec<String> = vec![];
    for (at, name) in names.iter().enumerate() {
        let field = format!("arms[{at}]");
        let Some(name) = errors.take(&field, plain_text(name, MAX_NAME_CHARS)) else {
            continue;
        };
        if arms.contains(&name) {
            errors.add(field, "must be a name that is not in the list yet");
        } else {
            arms.push(name);
        }
    }
    (arms.len() == names.len()).then_some(arms)
}
