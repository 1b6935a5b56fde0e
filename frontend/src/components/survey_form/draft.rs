use leptos::prelude::*;
use predilect_api::{Audience, NewSurvey};

/// Labels of the arms, and what the API calls them: as many as a survey may have.
pub(super) const ARMS: [(&str, &str); 8] = [
    ("Arm 1", "arms[0]"),
    ("Arm 2", "arms[1]"),
    ("Arm 3", "arms[2]"),
    ("Arm 4", "arms[3]"),
    ("Arm 5", "arms[4]"),
    ("Arm 6", "arms[5]"),
    ("Arm 7", "arms[6]"),
    ("Arm 8", "arms[7]"),
];

/// The fields of a request that the form shows faults beside.
pub(super) const FIELDS: [&str; 12] = [
    "name",
    "target_votes",
    "daily_cap",
    "attention_every",
    "arms[0]",
    "arms[1]",
    "arms[2]",
    "arms[3]",
    "arms[4]",
    "arms[5]",
    "arms[6]",
    "arms[7]",
];

/// The values of the form.
#[derive(Clone, Copy)]
pub(super) struct Draft {
    pub(super) name: RwSignal<String>,
    /// All there may be; those that count come first.
    pub(super) arms: [RwSignal<String>; ARMS.len()],
    pub(super) number_of_arms: RwSignal<usize>,
    pub(super) target_votes: RwSignal<String>,
    pub(super) daily_cap: RwSignal<String>,
    pub(super) attention_every: RwSignal<String>,
    pub(super) registered_only: RwSignal<bool>,
}

impl Draft {
    pub(super) fn new() -> Self {
        let number = |text: &str| RwSignal::new(text.to_owned());
        Self {
            name: RwSignal::new(String::new()),
            arms: std::array::from_fn(|_| RwSignal::new(String::new())),
            number_of_arms: RwSignal::new(2),
            target_votes: number("200"),
            daily_cap: number("50"),
            attention_every: number("15"),
            registered_only: RwSignal::new(false),
        }
    }

    /// Adds an arm or takes the last one away, within what is allowed.
    pub(super) fn change_number_of_arms(self, by: i8) {
        self.number_of_arms.update(|number| {
            *number = number.saturating_add_signed(by.into()).clamp(2, ARMS.len());
        });
    }

    /// The request.
    ///
    /// # Errors
    /// The field that is not a number, and what it must be: the rest is left to the server.
    pub(super) fn request(self) -> Result<NewSurvey, (&'static str, &'static str)> {
        let number = |field: &'static str, typed: RwSignal<String>| {
            let typed = typed.get_untracked();
            typed
                .trim()
                .parse::<i64>()
                .map_err(|_| (field, "must be a whole number"))
        };
        let arms = &self.arms[..self.number_of_arms.get_untracked()];
        Ok(NewSurvey {
            name: self.name.get_untracked(),
            arms: arms.iter().map(|arm| arm.get_untracked()).collect(),
            audience: if self.registered_only.get_untracked() {
                Audience::Registered
            } else {
                Audience::Everyone
            },
            target_votes: number("target_votes", self.target_votes)?,
            daily_cap: Some(number("daily_cap", self.daily_cap)?),
            attention_every: Some(number("attention_every", self.attention_every)?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_request_has_the_arms_that_are_shown() {
        let draft = Draft::new();
        draft.change_number_of_arms(1);
        for (arm, name) in draft.arms.iter().zip(["a", "b", "c", "left over"]) {
            arm.set(name.into());
        }
        let request = draft.request().unwrap();
        assert_eq!(request.arms, ["a", "b", "c"]);
        assert_eq!(request.audience, Audience::Everyone);
        assert_eq!(
            (request.daily_cap, request.attention_every),
            (Some(50), Some(15))
        );
    }

    #[test]
    fn there_are_two_to_eight_arms() {
        let draft = Draft::new();
        draft.change_number_of_arms(-1);
        assert_eq!(draft.number_of_arms.get_untracked(), 2);
        (0..9).for_each(|_| draft.change_number_of_arms(1));
        assert_eq!(draft.number_of_arms.get_untracked(), 8);
    }

    #[test]
    fn what_is_no_number_is_said_at_its_field() {
        let draft = Draft::new();
        draft.daily_cap.set("many".into());
        let refused = draft.request().unwrap_err();
        assert_eq!(refused, ("daily_cap", "must be a whole number"));
    }

    #[test]
    fn every_arm_shows_its_own_faults() {
        for (_, field) in ARMS {
            assert!(FIELDS.contains(&field), "{field}");
        }
    }
}
