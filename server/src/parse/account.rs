use std::fmt;

use predilect_api::{MAX_NAME_CHARS, MAX_PASSWORD_CHARS, MIN_PASSWORD_CHARS};
use unicode_normalization::UnicodeNormalization;

use super::{fold, plain_text};

/// What a person logs in with: trimmed, not empty, not over-long, on one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountName {
    shown: String,
    key: String,
}

impl AccountName {
    /// Parses what a person typed.
    ///
    /// # Errors
    /// In words, what is allowed.
    pub fn parse(text: &str) -> Result<Self, String> {
        let shown = one_line(text)?;
        let key = fold(&shown);
        Ok(Self { shown, key })
    }

    /// As typed.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.shown
    }

    /// The same for all names that read alike.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }
}

/// What a person calls an API token: trimmed, not empty, not over-long, on one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenName(String);

impl TokenName {
    /// Parses what a person typed.
    ///
    /// # Errors
    /// In words, what is allowed.
    pub fn parse(text: &str) -> Result<Self, String> {
        one_line(text).map(Self)
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A password, in one Unicode form: keyboards differ in how they write an ü.
pub struct Password(String);

impl Password {
    /// Parses a password to be set: 8 to 200 characters, whichever they are.
    ///
    /// # Errors
    /// In words, what is allowed.
    pub fn parse_new(text: &str) -> Result<Self, String> {
        let password = Self::attempt(text);
        let chars = password.0.chars().count();
        if (MIN_PASSWORD_CHARS..=MAX_PASSWORD_CHARS).contains(&chars) {
            Ok(password)
        } else {
            Err(format!(
                "must have {MIN_PASSWORD_CHARS} to {MAX_PASSWORD_CHARS} characters, and has {chars}"
            ))
        }
    }

    /// A password to be compared with the one that is set.
    #[must_use]
    pub fn attempt(text: &str) -> Self {
        Self(text.nfc().collect())
    }

    /// What is hashed.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Debug for Password {
    /// Never the password itself: what is debugged ends up in logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

fn one_line(text: &str) -> Result<String, String> {
    let text = plain_text(text, MAX_NAME_CHARS)?;
    if text.contains(['\n', '\r', '\t']) {
        return Err("must be on one line".into());
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_read_alike_have_one_key() {
        let key = |name| AccountName::parse(name).unwrap().key().to_owned();
        assert_eq!(key("Zoë"), key(" zoe\u{308} "));
        assert_eq!(key("ana"), key("ＡＮＡ"));
        assert_ne!(key("ana"), key("anna"));
        assert_eq!(AccountName::parse(" Zoë ").unwrap().as_str(), "Zoë");
    }

    #[test]
    fn a_name_is_one_line_of_1_to_60_characters() {
        for name in ["", "  ", "a\nb", "a\u{7}", &"x".repeat(61)] {
            assert!(AccountName::parse(name).is_err(), "{name:?}");
        }
        assert!(AccountName::parse(&"ü".repeat(60)).is_ok());
    }

    #[test]
    fn a_password_is_counted_in_characters_and_kept_as_typed() {
        assert!(Password::parse_new("1234567").is_err());
        assert!(Password::parse_new(&"x".repeat(201)).is_err());
        let spaced = Password::parse_new(" 12 45 78 ").unwrap();
        assert_eq!(spaced.as_bytes(), b" 12 45 78 ");
        let composed = Password::parse_new("Türschloss").unwrap();
        let decomposed = Password::attempt("Tu\u{308}rschloss");
        assert_eq!(composed.as_bytes(), decomposed.as_bytes());
        assert_eq!(format!("{composed:?}"), "Password(…)");
    }
}
