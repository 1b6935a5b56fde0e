//! Random secrets that stand for somebody: a session's cookie, an API token.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};

/// Begins an API token, so that a leaked one is recognised by people and by scanners.
const API_PREFIX: &str = "predilect_";

/// 256 random bits: what its holder keeps.
pub struct Token([u8; 32]);

/// SHA-256 of a token: what the database keeps. So many random bits need no slow hash.
#[derive(Clone, PartialEq, Eq)]
pub struct TokenHash([u8; 32]);

impl Token {
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

    /// Reads an API token; none if it is not what [`Self::to_api_text`] gives.
    #[must_use]
    pub fn parse_api(text: &str) -> Option<Self> {
        Self::parse(text.strip_prefix(API_PREFIX)?)
    }

    /// The token as an API token.
    #[must_use]
    pub fn to_api_text(&self) -> String {
        format!("{API_PREFIX}{}", self.to_text())
    }

    /// What to look its holder up by.
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
        let token = Token::random();
        let back = Token::parse(&token.to_text()).unwrap();
        assert!(token.hash() == back.hash());
        assert!(token.hash() != Token::random().hash());
    }

    #[test]
    fn an_api_token_is_recognised_by_its_prefix() {
        let token = Token::random();
        let back = Token::parse_api(&token.to_api_text()).unwrap();
        assert!(token.hash() == back.hash());
        assert!(Token::parse_api(&token.to_text()).is_none());
        assert!(Token::parse(&token.to_api_text()).is_none());
    }

    #[test]
    fn other_text_is_no_token() {
        for text in ["", "abc", "!!", &"A".repeat(44)] {
            assert!(Token::parse(text).is_none(), "{text:?}");
        }
    }
}
