//! The secret in a person's cookie.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};

/// 256 random bits: what the browser keeps.
pub struct SessionToken([u8; 32]);

/// SHA-256 of a token: what the database keeps.
#[derive(Clone, PartialEq, Eq)]
pub struct TokenHash([u8; 32]);

impl SessionToken {
    /// A new token, from the system's cryptographic generator.
    #[must_use]
    pub fn random() -> Self {
        Self(rand::random())
    }

    /// Reads a cookie's value; none if it is not what [`Self::to_text`] gives.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok().map(Self)
    }

    /// The token as a cookie's value.
    #[must_use]
    pub fn to_text(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }

    /// What to look the session up by.
    #[must_use]
    pub fn hash(&self) -> TokenHash {
        TokenHash(Sha256::digest(self.0).into())
    }
}

impl TokenHash {
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_survives_the_cookie() {
        let token = SessionToken::random();
        let back = SessionToken::parse(&token.to_text()).unwrap();
        assert!(token.hash() == back.hash());
        assert!(token.hash() != SessionToken::random().hash());
    }

    #[test]
    fn other_text_is_no_token() {
        for text in ["", "abc", "!!", &"A".repeat(44)] {
            assert!(SessionToken::parse(text).is_none(), "{text:?}");
        }
    }
}
