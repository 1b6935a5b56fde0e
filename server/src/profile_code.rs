//! A profile as text to hand on: the embeddings themselves, so that a code works wherever
//! the same weights run.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};

/// Says what the text is, and which version of it.
const PREFIX: &str = "predilect1.";
const CHECKSUM_BYTES: usize = 4;

/// Why a text is no profile code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CodeError {
    /// It begins differently.
    #[error("must be a profile code, which begins with {PREFIX}")]
    Prefix,
    /// Characters are missing or changed.
    #[error("must be a whole profile code; characters of this one are missing or changed")]
    Damaged,
}

/// What a code carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CodedProfile {
    /// SHA-256 (hexadecimal) of the weights the embeddings belong to.
    pub model_hash: String,
    /// Counted choices the profile was read from.
    pub choices: u32,
    /// The embedding of each set, as the model packed it.
    pub embeddings: Vec<Vec<u8>>,
}

impl CodedProfile {
    /// Writes the code.
    #[must_use]
    pub fn to_code(&self) -> String {
        let mut bytes = vec![];
        put(&mut bytes, self.model_hash.as_bytes());
        bytes.extend(self.choices.to_le_bytes());
        for embedding in &self.embeddings {
            put(&mut bytes, embedding);
        }
        bytes.extend(checksum(&bytes));
        format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes))
    }

    /// Reads a code; spaces and line breaks in it don't matter.
    ///
    /// # Errors
    /// When it is no code, or not a whole one.
    pub fn parse(code: &str) -> Result<Self, CodeError> {
        let code: String = code.split_whitespace().collect();
        let text = code.strip_prefix(PREFIX).ok_or(CodeError::Prefix)?;
        let bytes = URL_SAFE_NO_PAD
            .decode(text)
            .map_err(|_| CodeError::Damaged)?;
        let (body, sum) = bytes
            .split_last_chunk::<CHECKSUM_BYTES>()
            .ok_or(CodeError::Damaged)?;
        if checksum(body) != *sum {
            return Err(CodeError::Damaged);
        }
        Self::read(body).ok_or(CodeError::Damaged)
    }

    fn read(mut body: &[u8]) -> Option<Self> {
        let model_hash = String::from_utf8(take(&mut body)?.to_vec()).ok()?;
        let (choices, rest) = body.split_first_chunk()?;
        body = rest;
        let mut embeddings = vec![];
        while !body.is_empty() {
            embeddings.push(take(&mut body)?.to_vec());
        }
        let choices = u32::from_le_bytes(*choices);
        (!embeddings.is_empty()).then_some(Self {
            model_hash,
            choices,
            embeddings,
        })
    }
}

fn put(bytes: &mut Vec<u8>, part: &[u8]) {
    let length = u32::try_from(part.len()).expect("an embedding stays below 4 GiB");
    bytes.extend(length.to_le_bytes());
    bytes.extend(part);
}

fn take<'a>(body: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (length, rest) = body.split_first_chunk()?;
    let (part, rest) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
    *body = rest;
    Some(part)
}

fn checksum(bytes: &[u8]) -> [u8; CHECKSUM_BYTES] {
    let hash = Sha256::digest(bytes);
    [hash[0], hash[1], hash[2], hash[3]]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profile() -> CodedProfile {
        CodedProfile {
            model_hash: "ab".repeat(32),
            choices: 8,
            embeddings: vec![vec![1, 2, 3], vec![255; 40]],
        }
    }

    #[test]
    fn a_code_is_read_back() {
        let code = profile().to_code();
        assert!(code.starts_with("predilect1."));
        assert_eq!(CodedProfile::parse(&code), Ok(profile()));
        let (start, end) = code.split_at(20);
        assert_eq!(
            CodedProfile::parse(&format!(" {start}\n{end}\n")),
            Ok(profile())
        );
    }

    #[test]
    fn a_damaged_code_is_refused() {
        let code = profile().to_code();
        assert_eq!(CodedProfile::parse("hello"), Err(CodeError::Prefix));
        assert_eq!(CodedProfile::parse("predilect1."), Err(CodeError::Damaged));
        assert_eq!(
            CodedProfile::parse(&code[..code.len() - 2]),
            Err(CodeError::Damaged)
        );
        let other = if code.as_bytes()[40] == b'A' {
            "B"
        } else {
            "A"
        };
        let changed = format!("{}{other}{}", &code[..40], &code[41..]);
        assert_eq!(CodedProfile::parse(&changed), Err(CodeError::Damaged));
    }
}
