//! How much of a prompt the text encoder reads.

use std::sync::Arc;

use super::PipelineError;
use crate::data::tokenizer::Tokenizer;

/// Cuts prompts where the text encoder's input is cut.
#[derive(Clone)]
pub struct PromptReader {
    tokenizer: Arc<Tokenizer>,
    length: usize,
}

impl PromptReader {
    /// Of texts that are cut to `length` tokens, start and end included.
    pub(super) fn new(tokenizer: Arc<Tokenizer>, length: usize) -> Self {
        Self { tokenizer, length }
    }

    /// Most tokens of a prompt that are read, its start and end left out.
    pub fn max_tokens(&self) -> usize {
        self.length.saturating_sub(2)
    }

    /// The beginning of `prompt` that is read; `None` where all of it is.
    ///
    /// # Errors
    /// When the tokenizer refuses the text.
    pub fn beginning<'a>(&self, prompt: &'a str) -> Result<Option<&'a str>, PipelineError> {
        self.tokenizer
            .beginning(prompt, self.length)
            .map_err(|error| PipelineError::Text(error.to_string()))
    }
}
