//! The preference embedding: what a vision-language model makes of a person's choices.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use image::{Rgb, RgbImage};
use serde_json::Value;
use tch::{Device, Kind, Tensor};

use super::conversation::{PreferencePair, detailed_prompt, expand_images, prompt};
use crate::data::DataError;
use crate::data::tokenizer::{END_OF_TEXT, IMAGE, PAD, TOKENIZER_FILE, TURN_END, Tokenizer};
use crate::image_processor::{AnyresProcessor, ImageProcessor};
use crate::networks::NetworkError;
use crate::networks::llava_onevision::LlavaOnevision;
use crate::networks::qwen2::GenerationLimits;
use crate::pipeline::all_finite;
use crate::training::pictures_to_tensor;
use crate::weights::{Component, HubLayout, ModelFolder, Params, WeightsError, read_config};

/// What errors call the network.
const VLM: &str = "the vision-language model";
/// The most tokens of the mini's description of a taste.
const LONGEST_DESCRIPTION: usize = 48;
/// The most tokens where every pair is described as well, as PPD allows it.
const LONGEST_DETAILED_DESCRIPTION: usize = 1024;

/// Why no embedding could be made or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EmbeddingError {
    /// There was nothing to learn from.
    #[error("an embedding needs at least one pair with a choice")]
    NoPairs,
    /// The tokenizer does not belong to the model.
    #[error("the tokenizer lacks the token {0}, which the conversation needs")]
    Token(&'static str),
    /// Stored bytes are no embedding.
    #[error("these bytes are no preference embedding: {0}")]
    Damaged(&'static str),
    /// Weights cannot be read.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// The tokenizer cannot be read, or refuses a text.
    #[error(transparent)]
    Tokenizer(#[from] DataError),
    /// The network refuses its input.
    #[error(transparent)]
    Network(#[from] NetworkError),
}

/// What four choices say about a person: the hidden states of all layers of the vision-language
/// model at the last generated step of its description, and the description.
#[derive(Debug, Clone, PartialEq)]
pub struct PreferenceEmbedding {
    /// `[layers + 1, hidden]`, row by row.
    values: Arc<[f32]>,
    layers: usize,
    /// The description that the model generated, in words.
    pub description: String,
}

/// First bytes of a stored embedding, the format's version last.
const MAGIC: &[u8; 8] = b"PPDEMB\0\x01";

impl PreferenceEmbedding {
    /// From hidden states `[layers + 1, hidden]` of any float dtype on any device.
    pub fn new(hidden: &Tensor, description: String) -> Self {
        let hidden = hidden
            .to_device(Device::Cpu)
            .to_kind(Kind::Float)
            .contiguous();
        let mut values = vec![0.0f32; hidden.numel()];
        let count = values.len();
        hidden.copy_data(&mut values, count);
        Self {
            values: values.into(),
            layers: hidden.size()[0] as usize,
            description,
        }
    }

    /// The hidden states, `[layers + 1, hidden]` f32 on the CPU.
    pub fn hidden(&self) -> Tensor {
        Tensor::from_slice(&self.values).view([self.layers as i64, -1])
    }

    /// The embedding as bytes for storage: magic and version, rows and columns as u32, the
    /// values as f32 row by row, all little-endian, then the description in UTF-8.
    pub fn to_bytes(&self) -> Vec<u8> {
        let columns = self.values.len() / self.layers.max(1);
        let mut bytes = MAGIC.to_vec();
        bytes.extend((self.layers as u32).to_le_bytes());
        bytes.extend((columns as u32).to_le_bytes());
        for value in self.values.iter() {
            bytes.extend(value.to_le_bytes());
        }
        bytes.extend(self.description.as_bytes());
        bytes
    }

    /// Reads what [`Self::to_bytes`] wrote.
    ///
    /// # Errors
    /// The bytes are cut off, or of another format or version.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, EmbeddingError> {
        let damaged = EmbeddingError::Damaged;
        let rest = bytes
            .strip_prefix(MAGIC)
            .ok_or(damaged("another format or version"))?;
        let (rows, rest) = number(rest).ok_or(damaged("the header is cut off"))?;
        let (columns, rest) = number(rest).ok_or(damaged("the header is cut off"))?;
        let length = (rows as usize)
            .checked_mul(columns as usize)
            .and_then(|n| n.checked_mul(4));
        let (values, text) = length
            .filter(|&length| length > 0)
            .and_then(|length| rest.split_at_checked(length))
            .ok_or(damaged("the values are cut off"))?;
        let text = std::str::from_utf8(text).map_err(|_| damaged("the description is no text"))?;
        Ok(Self {
            values: values
                .chunks_exact(4)
                .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
                .collect(),
            layers: rows as usize,
            description: text.to_owned(),
        })
    }
}

/// A little-endian u32 and what follows it.
fn number(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let (head, rest) = bytes.split_first_chunk()?;
    Some((u32::from_le_bytes(*head), rest))
}

/// How pictures and a question are put to the vision-language model.
enum Manner {
    /// The mini's: pictures as the vision tower itself prepares them, a short question.
    Short,
    /// PPD's: pictures as the model's image processor prepares them, in this dtype, and a
    /// detailed question.
    Detailed(AnyresProcessor, Kind),
}

/// What is read of a generation_config.json: what counts when the most likely token is taken.
#[derive(Default, serde::Deserialize)]
struct GenerationConfig {
    eos_token_id: Option<EndTokens>,
    repetition_penalty: Option<f64>,
    #[serde(flatten)]
    others: BTreeMap<String, Value>,
}

impl GenerationConfig {
    /// The settings in `folder`; all defaults where there are none.
    ///
    /// # Errors
    /// The file does not parse, or asks for something that is not built.
    fn open(folder: &Path) -> Result<Self, WeightsError> {
        let path = folder.join("generation_config.json");
        if !path.exists() {
            return Ok(Self::default());
        }
        let config: Self = read_config(&path)?;
        config
            .check()
            .map_err(|reason| WeightsError::Config { path, reason })?;
        Ok(config)
    }

    /// Says in words what is not built.
    fn check(&self) -> Result<(), String> {
        match self.repetition_penalty {
            // Tokens are divided by it.
            Some(penalty) if penalty <= 0.0 => Err(format!(
                "`repetition_penalty` is {penalty} where a number above zero is needed"
            )),
            _ => match self.others.iter().find(|(f, v)| changes_greedy(f, v)) {
                None => Ok(()),
                Some((field, value)) => Err(format!(
                    "`{field}` is {value}, which changes what is generated and is not supported"
                )),
            },
        }
    }
}

/// Whether a setting of transformers' generation changes which token is taken, where the most
/// likely one is.
fn changes_greedy(field: &str, value: &Value) -> bool {
    let nothing = value.is_null() || value.as_array().is_some_and(Vec::is_empty);
    let is = |neutral: f64| value.as_f64() == Some(neutral);
    match field {
        _ if nothing => false,
        "num_beams" | "encoder_repetition_penalty" => !is(1.0),
        "min_length" | "min_new_tokens" => !is(0.0),
        "no_repeat_ngram_size" | "encoder_no_repeat_ngram_size" => !is(0.0),
        "penalty_alpha" => !is(0.0),
        "token_healing" => value.as_bool() != Some(false),
        "bad_words_ids"
        | "begin_suppress_tokens"
        | "constraints"
        | "dola_layers"
        | "exponential_decay_length_penalty"
        | "force_words_ids"
        | "forced_bos_token_id"
        | "forced_eos_token_id"
        | "guidance_scale"
        | "sequence_bias"
        | "stop_strings"
        | "suppress_tokens"
        | "watermarking_config" => true,
        _ => false,
    }
}

#[derive(serde::Deserialize)]
#[serde(untagged)]
enum EndTokens {
    One(i64),
    Several(Vec<i64>),
}

fn check_table(tokenizer: &Tokenizer, model: &LlavaOnevision) -> Result<(), DataError> {
    let rows = model.config().text_config.vocab_size;
    tokenizer.check_table(VLM, rows)
}

/// The vision-language model with its words, ready to read choices.
pub struct PreferenceEmbedder {
    model: LlavaOnevision,
    tokenizer: Tokenizer,
    image: i64,
    manner: Manner,
    limits: GenerationLimits,
    device: Device,
}

impl PreferenceEmbedder {
    /// Loads the model of `folder`. A published one is asked as PPD asks it.
    ///
    /// # Errors
    /// A file is missing or damaged, or the tokenizer belongs to another model.
    pub fn load(folder: &ModelFolder, kind: Kind, device: Device) -> Result<Self, EmbeddingError> {
        Ok(Self::load_apart(folder, kind, device, device)?.0)
    }

    /// As [`Self::load`], with the weights on a device of their own, and with them: they must be
    /// on `device` when choices are read.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub fn load_apart(
        folder: &ModelFolder,
        kind: Kind,
        device: Device,
        weights: Device,
    ) -> Result<(Self, Params), EmbeddingError> {
        let published = folder.hub().map(HubLayout::vlm).transpose()?;
        let (model, params) = folder.load(Component::Vlm, kind, weights, LlavaOnevision::new)?;
        let embedder = match published {
            None => Self::new(model, Tokenizer::open(&folder.tokenizer())?, device),
            Some(folder) => Self::published(model, folder, kind, device),
        };
        Ok((embedder?, params))
    }

    /// A published model with the tokenizer, the image processor and the ends of an answer that
    /// its folder has.
    fn published(
        model: LlavaOnevision,
        folder: &Path,
        kind: Kind,
        device: Device,
    ) -> Result<Self, EmbeddingError> {
        let ImageProcessor::Anyres(processor) = ImageProcessor::open(folder)? else {
            return Err(EmbeddingError::Weights(WeightsError::Config {
                path: folder.into(),
                reason: "its image processor is none of LLaVA-OneVision".into(),
            }));
        };
        let tokenizer = Tokenizer::open(&folder.join(TOKENIZER_FILE))?;
        check_table(&tokenizer, &model)?;
        let id = |token| tokenizer.id(token).ok_or(EmbeddingError::Token(token));
        let settings = GenerationConfig::open(folder)?;
        let stop = match settings.eos_token_id {
            Some(EndTokens::One(end)) => vec![end],
            Some(EndTokens::Several(ends)) => ends,
            None => vec![id(TURN_END)?, id(END_OF_TEXT)?],
        };
        Ok(Self {
            image: id(IMAGE)?,
            limits: GenerationLimits {
                max_new_tokens: LONGEST_DETAILED_DESCRIPTION,
                // One conversation at a time never waits for another to end.
                pad: 0,
                stop,
                repetition_penalty: settings.repetition_penalty.unwrap_or(1.0),
            },
            manner: Manner::Detailed(processor, kind),
            model,
            tokenizer,
            device,
        })
    }

    /// The mini's model from parts that are in memory already; `device` is the model's.
    ///
    /// # Errors
    /// The tokenizer lacks a token of the conversation.
    pub fn new(
        model: LlavaOnevision,
        tokenizer: Tokenizer,
        device: Device,
    ) -> Result<Self, EmbeddingError> {
        check_table(&tokenizer, &model)?;
        let id = |token| tokenizer.id(token).ok_or(EmbeddingError::Token(token));
        let limits = GenerationLimits {
            max_new_tokens: LONGEST_DESCRIPTION,
            stop: vec![id(TURN_END)?, id(END_OF_TEXT)?],
            pad: id(PAD)?,
            repetition_penalty: 1.0,
        };
        Ok(Self {
            image: id(IMAGE)?,
            manner: Manner::Short,
            model,
            tokenizer,
            limits,
            device,
        })
    }

    /// Reads the pairs, describes the taste that they show, and gives the hidden states of all
    /// layers at the last generated step. Depends on pixels, captions and choices only.
    ///
    /// # Errors
    /// There are no pairs, or the network refuses its input.
    pub fn embed(&self, pairs: &[PreferencePair]) -> Result<PreferenceEmbedding, EmbeddingError> {
        let mut embeddings = self.embed_all(&[pairs])?;
        Ok(embeddings
            .pop()
            .expect("one embedding for each conversation"))
    }

    /// [`Self::embed`] for the pairs of many people at once, each in a conversation of its own.
    ///
    /// # Errors
    /// Somebody has no pairs, or the network refuses its input.
    pub fn embed_all<P: AsRef<[PreferencePair]>>(
        &self,
        people: &[P],
    ) -> Result<Vec<PreferenceEmbedding>, EmbeddingError> {
        if people.iter().any(|pairs| pairs.as_ref().is_empty()) {
            return Err(EmbeddingError::NoPairs);
        }
        // Eight pictures of a published model are some thousands of tokens, and their answers are
        // of very different lengths.
        let at_once = match &self.manner {
            Manner::Short => people.len().max(1),
            Manner::Detailed(..) => 1,
        };
        let mut embeddings = Vec::with_capacity(people.len());
        for people in people.chunks(at_once) {
            embeddings.extend(self.embed_together(people)?);
        }
        Ok(embeddings)
    }

    /// [`Self::embed_all`] in one batch.
    fn embed_together<P: AsRef<[PreferencePair]>>(
        &self,
        people: &[P],
    ) -> Result<Vec<PreferenceEmbedding>, EmbeddingError> {
        tch::no_grad(|| {
            let pictures: Vec<&RgbImage> = people
                .iter()
                .flat_map(AsRef::as_ref)
                .flat_map(|pair| [&pair.preferred, &pair.rejected])
                .collect();
            let features = match &self.manner {
                Manner::Short => self.whole_pictures(&pictures)?,
                Manner::Detailed(processor, kind) => {
                    let mut given = processor.conversation(&pictures);
                    let pixels = given.pixel_values.to_device(self.device);
                    given.pixel_values = pixels.to_kind(*kind);
                    self.model.image_features(&given)?
                }
            };
            let vectors = features[0].size()[0] as usize;
            let ids = people
                .iter()
                .map(|pairs| {
                    let captions = pairs.as_ref().iter().map(|pair| pair.caption.as_str());
                    let text = match &self.manner {
                        Manner::Short => prompt(captions),
                        Manner::Detailed(..) => detailed_prompt(captions),
                    };
                    let ids = self.tokenizer.encode(&text, false)?;
                    Ok(expand_images(&ids, self.image, vectors))
                })
                .collect::<Result<Vec<_>, EmbeddingError>>()?;
            // Answers begin where all prompts end, so what fills the shorter ones is before them.
            let longest = ids.iter().map(Vec::len).max().unwrap_or(0);
            let filler = |ids: &[i64]| vec![self.limits.pad; longest - ids.len()];
            let rows: Vec<Tensor> = ids
                .iter()
                .map(|ids| Tensor::from_slice(&[filler(ids), ids.clone()].concat()))
                .collect();
            let rows = Tensor::stack(&rows, 0).to_device(self.device);
            let begins: Vec<i64> = ids.iter().map(|ids| (longest - ids.len()) as i64).collect();
            let begins = Tensor::from_slice(&begins).unsqueeze(1);
            let mask = Tensor::arange(longest as i64, (Kind::Int64, Device::Cpu))
                .ge_tensor(&begins)
                .to_kind(Kind::Int64)
                .to_device(self.device);
            let answer = self.model.generate(&rows, &mask, &features, &self.limits)?;
            (0..people.len() as i64)
                .map(|i| {
                    let tokens =
                        Vec::<i64>::try_from(&answer.tokens.get(i)).map_err(NetworkError::from)?;
                    let description = self.tokenizer.decode(&tokens)?.trim().to_owned();
                    let hidden = answer.hidden_states.select(1, i);
                    if !all_finite(&hidden) {
                        return Err(NetworkError::NotFinite(VLM).into());
                    }
                    Ok(PreferenceEmbedding::new(&hidden, description))
                })
                .collect()
        })
    }

    /// The vectors that stand for each picture, `[tokens, hidden]` each.
    fn whole_pictures(&self, pictures: &[&RgbImage]) -> Result<Vec<Tensor>, EmbeddingError> {
        let pictures: Vec<Tensor> = pictures
            .iter()
            .map(|picture| self.model.preprocess(&self.pixels(picture)))
            .collect();
        let features = self.model.vision_features(&Tensor::cat(&pictures, 0))?;
        let features = self.model.with_newline(&self.model.project(&features));
        Ok(features.unbind(0))
    }

    /// A picture as `[1, 3, side, side]` f32 in [0, 1]; what is not square is padded with grey,
    /// as the reference's processor does for several pictures.
    fn pixels(&self, picture: &RgbImage) -> Tensor {
        let (width, height) = picture.dimensions();
        let side = width.max(height);
        let square = match width == height {
            true => pictures_to_tensor(&[picture]),
            false => {
                let mut square = RgbImage::from_pixel(side, side, Rgb([127; 3]));
                let (x, y) = ((side - width) / 2, (side - height) / 2);
                image::imageops::replace(&mut square, picture, i64::from(x), i64::from(y));
                pictures_to_tensor(&[&square])
            }
        };
        square.to_device(self.device)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> PreferenceEmbedding {
        let hidden = Tensor::arange(12, (Kind::Float, Device::Cpu)).view([3, 4]) / 7.0;
        PreferenceEmbedding::new(&hidden, "likes warm colours – and cats".into())
    }

    #[test]
    fn an_embedding_survives_storage_bit_for_bit() {
        let embedding = example();
        let stored = PreferenceEmbedding::from_bytes(&embedding.to_bytes()).unwrap();
        assert_eq!(stored, embedding);
        assert_eq!(stored.hidden(), embedding.hidden());
        assert_eq!(stored.hidden().size(), [3, 4]);
    }

    #[test]
    fn settings_that_would_change_a_greedy_answer_are_refused_by_name() {
        let dir = tempfile::tempdir().unwrap();
        let open = |text: &str| {
            std::fs::write(dir.path().join("generation_config.json"), text).unwrap();
            GenerationConfig::open(dir.path()).map_err(|error| error.to_string())
        };
        let sampled = r#"{"do_sample": true, "temperature": 0.7, "top_k": 20, "num_beams": 1,
            "repetition_penalty": 1.05, "eos_token_id": 3, "suppress_tokens": null}"#;
        assert_eq!(open(sampled).unwrap().repetition_penalty, Some(1.05));
        let neutral = r#"{"penalty_alpha": 0, "stop_strings": null, "watermarking_config": null,
            "dola_layers": null, "token_healing": false}"#;
        assert!(open(neutral).is_ok());
        for (field, value) in [
            ("num_beams", "4"),
            ("no_repeat_ngram_size", "4"),
            ("min_new_tokens", "4"),
            ("stop_strings", r#"["."]"#),
            ("stop_strings", r#"".""#),
            ("penalty_alpha", "0.6"),
            ("watermarking_config", r#"{"bias": 2.5}"#),
            ("dola_layers", r#""high""#),
            ("dola_layers", "[2, 4]"),
            ("token_healing", "true"),
            ("repetition_penalty", "0"),
            ("repetition_penalty", "-1.1"),
        ] {
            let reason = open(&format!(r#"{{"{field}": {value}}}"#)).map(drop);
            let reason = reason.unwrap_err();
            assert!(
                reason.contains(field) && reason.contains("generation_config.json"),
                "{field} {value}: {reason}"
            );
        }
    }

    #[test]
    fn damaged_bytes_are_refused() {
        let bytes = example().to_bytes();
        for length in [0, 7, 8, 12, 16, 40] {
            assert!(
                PreferenceEmbedding::from_bytes(&bytes[..length]).is_err(),
                "{length}"
            );
        }
        let mut other_version = bytes;
        other_version[7] = 2;
        assert!(PreferenceEmbedding::from_bytes(&other_version).is_err());
    }
}
