//! Identifiers as they travel: text that is compared and handed back, never read into.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
        #[serde(transparent)]
        pub struct $name(pub String);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl From<String> for $name {
            fn from(id: String) -> Self {
                Self(id)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }
    };
}

id!(
    /// Names a preference pair of the bank.
    PairId
);
id!(
    /// Names a choice while it can be taken back: random, and never another choice's.
    ChoiceId
);
id!(
    /// Names a profile: a random UUID.
    ProfileId
);
id!(
    /// Names a generation: a random UUID.
    GenerationId
);
id!(
    /// Names a picture a generation drew: a random UUID.
    ImageId
);
id!(
    /// Names an API token, without being it: a random UUID.
    ApiTokenId
);
id!(
    /// Names a person to admins: a random UUID.
    PersonId
);
id!(
    /// Names a survey: a random UUID.
    SurveyId
);
id!(
    /// Names an item of a survey as one participant is shown it: a random UUID.
    SurveyItemId
);
