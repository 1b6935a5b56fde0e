//! The tokenizer shared by the text encoder and the VLM: byte-level BPE over lower-cased text.
use std::path::Path;

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use tokenizers::models::bpe::{BPE, BpeTrainerBuilder};
use tokenizers::normalizers::Lowercase;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::processors::template::TemplateProcessing;
use tokenizers::{AddedToken, TokenizerImpl};

use super::DataError;
use super::artwork::Artwork;
use super::captions::{Said, caption};
use super::slow_tokenizer::{self, NamedToken};
use super::split::Split;
use super::variant::Variant;
use crate::evaluation::taste;

pub use super::slow_tokenizer::VOCABULARY_FILE;

/// File name of a trained tokenizer.
pub const TOKENIZER_FILE: &str = "tokenizer.json";
/// Largest vocabulary, special tokens included.
pub const VOCABULARY_SIZE: usize = 4096;

/// Start of a prompt for the text encoder.
pub const START_OF_TEXT: &str = "<|startoftext|>";
/// End of a prompt; its position is where the text encoder pools.
pub const END_OF_TEXT: &str = "<|endoftext|>";
/// Filler up to the longest text of a batch.
pub const PAD: &str = "<pad>";
/// Stands for the features of one picture in the VLM's conversation.
pub const IMAGE: &str = "<image>";
/// Start of a turn in the VLM's conversation.
pub const TURN_START: &str = "<|im_start|>";
/// End of a turn in the VLM's conversation.
pub const TURN_END: &str = "<|im_end|>";

/// The special tokens, in the order of their ids, which start at 0.
pub const SPECIAL_TOKENS: [&str; 6] =
    [START_OF_TEXT, END_OF_TEXT, PAD, IMAGE, TURN_START, TURN_END];

/// Words around the pictures in the VLM's conversation, so that they cost few tokens there.
const CONVERSATION: [&str; 8] = [
    "system\nYou are a helpful assistant.",
    "user\nHere are pairs of pictures. From each pair one person chose the picture they prefer.",
    "Pair 1. Caption: Preferred: Dispreferred:",
    "Pair 2. The preferred picture is the left one, the other is dispreferred.",
    "Pair 3. Pair 4. Pair 5. Prompt: left: right:",
    "Describe each pair, the differences, and a profile of the person.",
    "Describe this person's taste in pictures in one short sentence.",
    "assistant\nWhich picture of the next pair will this person prefer? first, second, left, right.",
];

/// Variants of every training picture that are captioned for the vocabulary.
const VARIANTS: u64 = 3;

/// The texts the vocabulary is trained on: captions, labels and synonyms of the training
/// subjects, the VLM's conversation and the taste descriptions. The same every time.
pub fn training_texts(artwork: &Artwork) -> Vec<String> {
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    let mut texts: Vec<String> = Vec::new();
    for subject in artwork
        .subjects()
        .iter()
        .filter(|s| s.split == Split::Train)
    {
        texts.push(subject.label.clone());
        texts.extend(subject.synonyms.iter().chain(&subject.tags).cloned());
    }
    for i in artwork.pictures_of(Split::Train) {
        for k in 0..VARIANTS {
            let (subject, style) = (artwork.subject_of(i), artwork.style_of(i));
            let variant = Variant::draw(i as u64, k, style.mono);
            let said = Said::draw(&mut rng);
            texts.push(caption(subject, style, &variant, said, &mut rng));
        }
    }
    // Often enough that their words become single tokens beside tens of thousands of captions.
    for _ in 0..50 {
        texts.extend(CONVERSATION.iter().map(|&text| text.to_owned()));
        texts.extend(taste::vocabulary());
    }
    texts
}

/// A trained tokenizer.
pub struct Tokenizer {
    inner: tokenizers::Tokenizer,
    pad: Option<i64>,
    longest: Option<i64>,
}

/// What is read of the tokenizer_config.json that transformers writes beside a tokenizer.json.
#[derive(serde::Deserialize)]
struct TokenizerConfig {
    pad_token: Option<NamedToken>,
    /// 10³⁰ where there is no limit.
    model_max_length: Option<f64>,
}

/// Trains a tokenizer; the same texts give the same vocabulary.
///
/// Encoding with special tokens puts [`START_OF_TEXT`] and [`END_OF_TEXT`] around a text, as the
/// text encoder wants it; the VLM encodes without.
///
/// # Errors
/// When the texts are too few to train on.
pub fn train(texts: Vec<String>) -> Result<Tokenizer, DataError> {
    let special: Vec<AddedToken> = SPECIAL_TOKENS
        .iter()
        .map(|&token| AddedToken::from(token.to_owned(), true).normalized(false))
        .collect();
    let mut trainer = BpeTrainerBuilder::new()
        .show_progress(false)
        .vocab_size(VOCABULARY_SIZE)
        .min_frequency(2)
        .special_tokens(special.clone())
        .initial_alphabet(ByteLevel::alphabet().into_iter().collect())
        .build();
    let mut tokenizer =
        TokenizerImpl::<BPE, Lowercase, ByteLevel, TemplateProcessing, ByteLevel>::new(
            BPE::default(),
        );
    tokenizer.with_normalizer(Some(Lowercase)).map_err(failed)?;
    tokenizer.with_pre_tokenizer(Some(ByteLevel::new(false, true, true)));
    tokenizer.with_decoder(Some(ByteLevel::default()));
    tokenizer
        .train(&mut trainer, texts.into_iter())
        .map_err(failed)?;
    let template = TemplateProcessing::builder()
        .try_single(format!("{START_OF_TEXT} $0 {END_OF_TEXT}"))
        .map_err(failed)?
        .special_tokens(vec![(START_OF_TEXT, 0), (END_OF_TEXT, 1)])
        .build()
        .map_err(failed)?;
    tokenizer.with_post_processor(Some(template));
    let text = tokenizer.to_string(false).map_err(failed)?;
    Tokenizer::from_json(text.as_bytes())
}

impl Tokenizer {
    /// Reads a tokenizer.json, or where there is none the vocabulary and merges beside it, and the
    /// tokenizer_config.json where there is one.
    ///
    /// # Errors
    /// When the file is missing or no tokenizer, or the padding token is none of its tokens.
    pub fn open(path: &Path) -> Result<Self, DataError> {
        let about = |error: DataError| match error {
            DataError::Tokenizer(reason) => failed(format!("{}: {reason}", path.display())),
            other => other,
        };
        let vocabulary = path.with_file_name(VOCABULARY_FILE);
        let mut tokenizer = match !path.exists() && vocabulary.exists() {
            true => Self::from_vocabulary(path.parent().unwrap_or(Path::new(""))),
            false => {
                let text = std::fs::read(path).map_err(DataError::io(path))?;
                Self::from_json(&text).map_err(about)
            }
        }?;
        let config = path.with_file_name("tokenizer_config.json");
        if config.exists() {
            let text = std::fs::read(&config).map_err(DataError::io(&config))?;
            let config: TokenizerConfig = serde_json::from_slice(&text)
                .map_err(|error| failed(format!("{}: {error}", config.display())))?;
            tokenizer.pad = config
                .pad_token
                .map(|pad| {
                    let pad = pad.text();
                    let none = || failed(format!("its `pad_token` {pad} is none of its tokens"));
                    tokenizer.id(pad).ok_or_else(none)
                })
                .transpose()
                .map_err(about)?;
            tokenizer.longest = config
                .model_max_length
                .filter(|longest| (2.0..1e9).contains(longest))
                .map(|longest| longest as i64);
        }
        Ok(tokenizer)
    }

    /// The tokenizer of the vocabulary and merges in `dir`.
    fn from_vocabulary(dir: &Path) -> Result<Self, DataError> {
        let converted = slow_tokenizer::read(dir)?;
        let tokenizer = Self::from_json(&converted.json)?;
        // Tokens are added one after the other, whatever ids the settings give them.
        for (token, id) in converted.added {
            if tokenizer.id(&token) != Some(id) {
                let dir = dir.display();
                return Err(failed(format!(
                    "{dir}: the added token {token} has the id {id}, which does not follow the \
                     vocabulary's"
                )));
            }
        }
        Ok(tokenizer)
    }

    fn from_json(text: &[u8]) -> Result<Self, DataError> {
        let mut inner = tokenizers::Tokenizer::from_bytes(text).map_err(failed)?;
        // Files keep how they were last used; how long a text may be is for the network to say.
        inner.with_truncation(None).map_err(failed)?;
        inner.with_padding(None);
        Ok(Self {
            inner,
            pad: None,
            longest: None,
        })
    }

    /// Writes tokenizer.json.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn save(&self, path: &Path) -> Result<(), DataError> {
        self.inner.save(path, true).map_err(failed)
    }

    /// Token ids of a text; with `special`, start and end tokens around it.
    ///
    /// # Errors
    /// When the tokenizer refuses the text.
    pub fn encode(&self, text: &str, special: bool) -> Result<Vec<i64>, DataError> {
        let encoding = self.inner.encode_fast(text, special).map_err(failed)?;
        Ok(encoding.get_ids().iter().map(|&id| i64::from(id)).collect())
    }

    /// The beginning of a text whose tokens, start and end included, are `length` at most, where
    /// the text has more of them; `None` where it has not.
    ///
    /// # Errors
    /// When the tokenizer refuses the text.
    pub fn beginning<'a>(
        &self,
        text: &'a str,
        length: usize,
    ) -> Result<Option<&'a str>, DataError> {
        let encoding = self.inner.encode(text, true).map_err(failed)?;
        if encoding.len() <= length {
            return Ok(None);
        }
        // The last place is the end token's.
        let kept = &encoding.get_offsets()[..length.saturating_sub(1)];
        let end = kept.iter().map(|&(_, end)| end).max().unwrap_or(0);
        Ok(Some(text[..text.floor_char_boundary(end)].trim_end()))
    }

    /// The text of token ids, special tokens left out.
    ///
    /// # Errors
    /// When an id is not of this vocabulary.
    pub fn decode(&self, ids: &[i64]) -> Result<String, DataError> {
        let ids = ids
            .iter()
            .map(|&id| u32::try_from(id).map_err(failed))
            .collect::<Result<Vec<_>, _>>()?;
        self.inner.decode(&ids, true).map_err(failed)
    }

    /// The id of a token, such as [`IMAGE`].
    pub fn id(&self, token: &str) -> Option<i64> {
        self.inner.token_to_id(token).map(i64::from)
    }

    /// What shorter texts of a batch are filled up with, where tokenizer_config.json says so.
    pub fn pad(&self) -> Option<i64> {
        self.pad
    }

    /// The most tokens of a text, start and end included, where tokenizer_config.json says so.
    pub fn longest(&self) -> Option<i64> {
        self.longest
    }

    /// Checks that a network with a table of so many tokens knows all of these.
    ///
    /// # Errors
    /// When it does not: then it belongs to another tokenizer.
    pub fn check_table(&self, network: &str, rows: i64) -> Result<(), DataError> {
        let ids = self.inner.get_vocab(true).into_values();
        match ids.max().map(i64::from) {
            Some(highest) if highest >= rows => Err(failed(format!(
                "its ids go up to {highest}, and {network} knows {rows} tokens: they are of \
                 different models"
            ))),
            _ => Ok(()),
        }
    }

    /// Number of tokens, special ones included.
    pub fn vocabulary_size(&self) -> usize {
        self.inner.get_vocab_size(true)
    }
}

fn failed(error: impl std::fmt::Display) -> DataError {
    DataError::Tokenizer(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts() -> Vec<String> {
        let mut texts = taste::vocabulary();
        texts.extend(["a red apple", "A Green Apple, 3d render", "piñata"].map(str::to_owned));
        [texts.clone(), texts].concat()
    }

    #[test]
    fn training_twice_gives_the_same_tokenizer() {
        let one = train(texts()).unwrap();
        let two = train(texts()).unwrap();
        assert_eq!(
            one.inner.to_string(false).unwrap(),
            two.inner.to_string(false).unwrap()
        );
    }

    #[test]
    fn any_text_survives_the_round_trip_in_lower_case() {
        let tokenizer = train(texts()).unwrap();
        for text in ["a red apple", "Ünïcode 🍎, tabs\tand\nlines", "x"] {
            let ids = tokenizer.encode(text, true).unwrap();
            assert_eq!(ids.first(), Some(&0));
            assert_eq!(ids.last(), Some(&1));
            assert_eq!(tokenizer.decode(&ids).unwrap(), text.to_lowercase());
        }
    }

    #[test]
    fn the_beginning_of_a_text_is_what_its_first_tokens_say() {
        let tokenizer = train(texts()).unwrap();
        let text = "A red Apple, a red apple 🍎 and a green one";
        let ids = tokenizer.encode(text, true).unwrap();
        assert_eq!(tokenizer.beginning(text, ids.len()).unwrap(), None);
        let apple = tokenizer.encode("A red Apple", true).unwrap().len();
        assert_eq!(
            tokenizer.beginning(text, apple).unwrap(),
            Some("A red Apple")
        );
        for length in 1..ids.len() {
            let read = tokenizer.beginning(text, length).unwrap().unwrap();
            assert!(text.starts_with(read), "{read}");
        }
    }

    #[test]
    fn special_tokens_have_fixed_ids_and_stay_whole() {
        let tokenizer = train(texts()).unwrap();
        for (id, token) in SPECIAL_TOKENS.iter().enumerate() {
            assert_eq!(tokenizer.id(token), Some(id as i64));
        }
        let ids = tokenizer
            .encode("<|im_start|>apple<image><|im_end|>", false)
            .unwrap();
        assert_eq!(ids.first(), Some(&4));
        assert_eq!(&ids[ids.len() - 2..], &[3, 5]);
        assert!(tokenizer.vocabulary_size() <= VOCABULARY_SIZE);
    }
}
