//! Reading a reference library's config.json without passing over a field that matters.

use std::collections::BTreeMap;
use std::fmt::Display;

use serde::Deserialize;
use serde_json::Value;

use crate::weights::WeightsError;

/// The fields of a config.json that its struct does not name.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(transparent)]
pub struct Unread(BTreeMap<String, Value>);

/// Fields of transformers' and diffusers' configurations that leave the forward pass as it is.
const NEUTRAL: &[&str] = &[
    "_attn_implementation_autoset",
    "_class_name",
    "_commit_hash",
    "_diffusers_version",
    "_name_or_path",
    "_use_default_values",
    "add_cross_attention",
    "architectures",
    "attention_dropout",
    "bad_words_ids",
    "begin_suppress_tokens",
    "bos_token_id",
    "chunk_size_feed_forward",
    "cross_attention_hidden_size",
    "decoder_start_token_id",
    "diversity_penalty",
    "do_sample",
    "dropout",
    "dtype",
    "early_stopping",
    "encoder_no_repeat_ngram_size",
    "eos_token_id",
    "exponential_decay_length_penalty",
    "finetuning_task",
    "forced_bos_token_id",
    "forced_eos_token_id",
    "id2label",
    "ignore_index",
    "initializer_factor",
    "initializer_range",
    "is_decoder",
    "is_encoder_decoder",
    "label2id",
    "length_penalty",
    "max_length",
    "max_window_layers",
    "min_length",
    "no_repeat_ngram_size",
    "num_beam_groups",
    "num_beams",
    "num_return_sequences",
    "output_attentions",
    "output_hidden_states",
    "output_scores",
    "pad_token_id",
    "prefix",
    "problem_type",
    "pruned_heads",
    "remove_invalid_values",
    "repetition_penalty",
    "return_dict",
    "return_dict_in_generate",
    "sep_token_id",
    "suppress_tokens",
    "task_specific_params",
    "temperature",
    "tf_legacy_loss",
    "tie_encoder_decoder",
    "tie_word_embeddings",
    "tokenizer_class",
    "top_k",
    "top_p",
    "torch_dtype",
    "torchscript",
    "transformers_version",
    "typical_p",
    "use_bfloat16",
    "use_cache",
    "use_image_newline_parameter",
];

impl Unread {
    /// The fields apart from these, which one network knows to leave its forward pass as it is.
    pub(super) fn without(&self, neutral: &[&str]) -> Self {
        let fields = self.0.iter();
        let kept = fields.filter(|(field, _)| !neutral.contains(&field.as_str()));
        Self(
            kept.map(|(field, value)| (field.clone(), value.clone()))
                .collect(),
        )
    }

    /// Accepts fields that do not touch the forward pass; `null` always counts as absent.
    ///
    /// # Errors
    /// The first field that may change the result, by name.
    pub(crate) fn check(&self, network: &str) -> Result<(), WeightsError> {
        let unknown = self.0.iter().find(|(field, value)| {
            !value.is_null() && NEUTRAL.binary_search(&field.as_str()).is_err()
        });
        match unknown {
            None => Ok(()),
            Some((field, value)) => Err(unsupported(network, field, value)),
        }
    }

    /// Checks that `_class_name`, where diffusers wrote it, is the class that the network reads.
    ///
    /// # Errors
    /// It is another class.
    pub(super) fn check_class(&self, network: &str, expected: &str) -> Result<(), WeightsError> {
        match self.0.get("_class_name") {
            Some(found) if found != expected => Err(config_error(format!(
                "`_class_name` is {found}, {network} reads \"{expected}\""
            ))),
            _ => Ok(()),
        }
    }
}

/// The error for a configuration that does not hold together.
pub(super) fn config_error(reason: impl Into<String>) -> WeightsError {
    WeightsError::Config {
        path: "config.json".into(),
        reason: reason.into(),
    }
}

/// Checks that these fields, counts and sizes, are at least 1.
pub(super) fn check_positive(fields: &[(&str, i64)]) -> Result<(), WeightsError> {
    match fields.iter().find(|(_, value)| *value < 1) {
        None => Ok(()),
        Some((field, value)) => Err(config_error(format!(
            "`{field}` is {value}, at least 1 is needed"
        ))),
    }
}

/// Checks that the first field divides the second; both are at least 1.
pub(super) fn check_divides(
    (field, divisor): (&str, i64),
    (whole_field, whole): (&str, i64),
) -> Result<(), WeightsError> {
    match whole % divisor {
        0 => Ok(()),
        _ => Err(config_error(format!(
            "`{field}` {divisor} does not divide `{whole_field}` {whole}"
        ))),
    }
}

/// The error for a field that asks for something that is not built.
pub(super) fn unsupported(network: &str, field: &str, value: impl Display) -> WeightsError {
    config_error(format!(
        "`{field}` is {value}, which changes {network}'s result and is not supported; \
         use a folder without it"
    ))
}

/// Checks that `value`, the config's `model_type`, is the one that the network reads.
pub(super) fn check_model_type(
    network: &str,
    value: &str,
    expected: &str,
) -> Result<(), WeightsError> {
    if value == expected {
        return Ok(());
    }
    Err(config_error(format!(
        "`model_type` is \"{value}\", {network} reads \"{expected}\""
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_neutral_fields_are_sorted_for_the_search() {
        assert!(NEUTRAL.is_sorted());
    }

    #[test]
    fn a_field_that_may_change_the_result_is_named() {
        let unread: Unread =
            serde_json::from_str(r#"{"use_cache": true, "logit_softcap": 30.0}"#).expect("JSON");
        let message = unread
            .check("Qwen2")
            .expect_err("an unknown field")
            .to_string();
        assert!(
            message.contains("logit_softcap") && message.contains("30.0"),
            "{message}"
        );
    }
}
