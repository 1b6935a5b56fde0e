//! What texts of a request may be, as the OpenAPI document has it: components that fields
//! refer to. The server refuses all else in words.

use std::borrow::Cow;

use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        RefOr,
        schema::{KnownFormat, ObjectBuilder, Schema, SchemaFormat, Type},
    },
};

use crate::{MAX_NAME_CHARS, MAX_PASSWORD_CHARS, MIN_PASSWORD_CHARS};

/// No control characters but line breaks and tabs, and something to see.
const PLAIN: &str = r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f][^\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]*$";
/// The same on one line.
const ONE_LINE: &str = r"^[^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f][^\x00-\x1f\x7f-\x9f]*$";

/// A text with an object of the document to its name.
macro_rules! text {
    ($(#[$doc:meta])* $name:ident, $schema:expr) => {
        $(#[$doc])*
        pub(crate) enum $name {}

        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                $schema.schema_type(Type::String).into()
            }
        }

        impl ToSchema for $name {
            fn name() -> Cow<'static, str> {
                stringify!($name).into()
            }
        }
    };
}

text!(
    /// What to draw. How long it may be is the model's to say, and told where one is loaded.
    PromptText,
    ObjectBuilder::new()
        .description(Some("What to draw; spaces around it don't count."))
        .min_length(Some(1))
        .pattern(Some(PLAIN))
);
text!(
    /// What a profile, a survey, an arm or a prompt group is called.
    NameText,
    ObjectBuilder::new()
        .description(Some("A name; spaces around it don't count."))
        .min_length(Some(1))
        .max_length(Some(MAX_NAME_CHARS))
        .pattern(Some(PLAIN))
);
text!(
    /// What an account or an API token is called.
    LineText,
    ObjectBuilder::new()
        .description(Some("A name on one line; spaces around it don't count."))
        .min_length(Some(1))
        .max_length(Some(MAX_NAME_CHARS))
        .pattern(Some(ONE_LINE))
);
text!(
    /// A password to be set.
    NewPasswordText,
    ObjectBuilder::new()
        .description(Some("A password to be set, of whichever characters."))
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::Password)))
        .min_length(Some(MIN_PASSWORD_CHARS))
        .max_length(Some(MAX_PASSWORD_CHARS))
);
