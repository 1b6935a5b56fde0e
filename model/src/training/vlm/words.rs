//! Conversations in tokens.

use super::conversations::{Conversation, Gallery};
use crate::data::DataError;
use crate::data::tokenizer::{IMAGE, PAD, TURN_END, Tokenizer};
use crate::preference::conversation::{expand_images, prompt};
use crate::training::TrainError;

/// The conversation in tokens.
pub(super) struct Words {
    pub(super) tokenizer: Tokenizer,
    image: i64,
    pub(super) pad: i64,
    pub(super) turn_end: i64,
}

/// A prompt and its answer as token ids.
pub(super) struct Text {
    pub(super) ids: Vec<i64>,
    /// Length of the prompt.
    pub(super) prompt: usize,
    /// Where the token after each picture is.
    pub(super) after_pictures: Vec<usize>,
}

impl Words {
    pub(super) fn new(tokenizer: Tokenizer) -> Result<Self, TrainError> {
        let id = |token: &str| {
            tokenizer.id(token).ok_or_else(|| {
                TrainError::Missing(format!(
                    "the tokenizer lacks {token}: build the data again with predilect data build"
                ))
            })
        };
        Ok(Self {
            image: id(IMAGE)?,
            pad: id(PAD)?,
            turn_end: id(TURN_END)?,
            tokenizer,
        })
    }

    fn encode(&self, text: &str) -> Vec<i64> {
        let ids: Result<Vec<i64>, DataError> = self.tokenizer.encode(text, false);
        ids.expect("byte-level tokens exist for every text")
    }

    pub(super) fn text(
        &self,
        conversation: &Conversation,
        gallery: &Gallery,
        vectors: usize,
    ) -> Text {
        let captions = conversation
            .pairs
            .iter()
            .map(|&(row, _)| gallery.caption(row));
        let mut ids = expand_images(&self.encode(&prompt(captions)), self.image, vectors);
        let prompt = ids.len();
        ids.extend(self.encode(&conversation.description(gallery)));
        ids.push(self.turn_end);
        let after = |i: &usize| ids[i - 1] == self.image && ids[*i] != self.image;
        let after_pictures = (1..prompt).filter(after).collect();
        Text {
            ids,
            prompt,
            after_pictures,
        }
    }

    pub(super) fn fill_after(&self, ids: &[i64], length: usize) -> Vec<i64> {
        let filler = std::iter::repeat_n(self.pad, length - ids.len());
        ids.iter().copied().chain(filler).collect()
    }

    pub(super) fn fill_before(&self, ids: &[i64], length: usize) -> Vec<i64> {
        let filler = std::iter::repeat_n(self.pad, length - ids.len());
        filler.chain(ids.iter().copied()).collect()
    }
}
