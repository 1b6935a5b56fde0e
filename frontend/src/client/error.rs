use predilect_api::Problem;

/// Why a request came to nothing.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum ClientError {
    /// The server says what is wrong.
    Problem(Box<Problem>),
    /// No answer came.
    Unreachable,
    /// An answer came that is not the API's.
    Unreadable { status: u16 },
}

impl ClientError {
    /// What happened and what to do, as plain sentences.
    pub(crate) fn sentence(&self) -> String {
        match self {
            Self::Problem(problem) => in_words_of_the_page(problem).to_owned(),
            Self::Unreachable => {
                "Predilect does not answer. Check that it is running and that you are connected, then try again.".into()
            }
            Self::Unreadable { status } => format!(
                "Something between this page and Predilect answered in its place (status {status}). Try again in a \
                 moment; if it stays so, reload the page."
            ),
        }
    }

    /// The word for the kind of problem, such as `not-found`; `None` where the server did not
    /// say what is wrong.
    pub(crate) fn kind(&self) -> Option<&str> {
        match self {
            Self::Problem(problem) => problem.kind.strip_prefix("urn:predilect:problem:"),
            Self::Unreachable | Self::Unreadable { .. } => None,
        }
    }

    /// What the server says about one field of the request.
    pub(crate) fn about(&self, field: &str) -> Option<String> {
        let Self::Problem(problem) = self else {
            return None;
        };
        problem
            .errors
            .iter()
            .find(|error| error.field == field)
            .map(|error| error.message.clone())
    }

    /// The sentence to show beside the whole form: `None` where every fault belongs to one of
    /// `fields`, which show it themselves.
    pub(crate) fn beyond(&self, fields: &[&str]) -> Option<String> {
        if let Self::Problem(problem) = self
            && !problem.errors.is_empty()
            && problem
                .errors
                .iter()
                .all(|error| fields.contains(&error.field.as_str()))
        {
            return None;
        }
        Some(self.sentence())
    }
}

/// What the server says of these helps the author of a script; on a page they mean that the
/// person logged in or out elsewhere, or went on with their choices, since it was opened.
fn in_words_of_the_page(problem: &Problem) -> &str {
    match problem.kind.rsplit(':').next() {
        Some("no-session") => {
            "You are not logged in here any more. Reload the page; if you have an account, log in again."
        }
        Some("not-registered") => {
            "You are not logged in here any more. Reload the page and log in again."
        }
        Some("already-registered") => {
            "You are logged in here already. Reload the page to see your account."
        }
        Some("already-chosen") => {
            "Your choice between those two is stored already. Here is how it goes on."
        }
        Some("profile-unnamed") => {
            "Your choices are all stored already. Give your profile its name, or undo the last choice."
        }
        Some("nothing-to-undo") => "There is no choice left to undo.",
        Some("not-last-choice") => {
            "You went on with your choices elsewhere. Here is how it goes on; undo takes back the last one."
        }
        _ => &problem.detail,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use predilect_api::FieldError;

    fn problem(kind: &str) -> ClientError {
        ClientError::Problem(Box::new(Problem {
            kind: format!("urn:predilect:problem:{kind}"),
            title: "A problem".into(),
            status: 409,
            detail: "GET /api/v1/pairs/next gives another one.".into(),
            errors: vec![],
            missing: None,
        }))
    }

    fn refused(field: &str) -> ClientError {
        ClientError::Problem(Box::new(Problem {
            kind: "urn:predilect:problem:invalid".into(),
            title: "Invalid".into(),
            status: 422,
            detail: "The request is not valid.".into(),
            errors: vec![FieldError {
                field: field.into(),
                message: "Say what to draw.".into(),
            }],
            missing: None,
        }))
    }

    #[test]
    fn a_fault_of_a_field_is_said_at_the_field_alone() {
        let error = refused("prompt");
        assert_eq!(error.about("prompt").as_deref(), Some("Say what to draw."));
        assert_eq!(error.about("strength"), None);
        assert_eq!(error.beyond(&["prompt"]), None);
    }

    #[test]
    fn a_session_that_ended_elsewhere_is_said_without_the_api() {
        let ended = problem("no-session");
        assert!(ended.sentence().contains("log in again"));
        assert!(!ended.sentence().contains("/api/"));
    }

    #[test]
    fn a_page_that_is_behind_says_so_without_the_api() {
        for kind in [
            "already-chosen",
            "profile-unnamed",
            "nothing-to-undo",
            "not-last-choice",
        ] {
            let sentence = problem(kind).sentence();
            assert!(!sentence.contains("/api/"), "{kind}: {sentence}");
        }
    }

    #[test]
    fn a_fault_without_a_shown_field_is_said_beside_the_form() {
        assert_eq!(
            refused("steps").beyond(&["prompt"]).as_deref(),
            Some("The request is not valid.")
        );
        assert!(ClientError::Unreachable.beyond(&["prompt"]).is_some());
    }
}
