//! Tokenizers as transformers' Python classes save them: a vocabulary, its merges, and settings
//! beside. What transformers makes of them for the `tokenizers` crate is made here as well.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::DataError;
use super::tokenizer::{END_OF_TEXT, START_OF_TEXT};

/// File name of a vocabulary: the ids of its tokens.
pub const VOCABULARY_FILE: &str = "vocab.json";
const MERGES_FILE: &str = "merges.txt";
/// Tokens that were added to the vocabulary, where tokenizer_config.json does not list them.
const ADDED_FILE: &str = "added_tokens.json";

/// Where CLIP's texts are cut into words.
const CLIP_WORDS: &str =
    r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+";
/// Where Qwen2's are.
const QWEN2_WORDS: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

/// A token's text alone, or with how it is matched.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum NamedToken {
    Text(String),
    Object { content: String },
}

impl NamedToken {
    pub(super) fn text(&self) -> &str {
        let (Self::Text(text) | Self::Object { content: text }) = self;
        text
    }
}

/// What is read of the tokenizer_config.json.
#[derive(Deserialize)]
struct Settings {
    tokenizer_class: Option<String>,
    bos_token: Option<NamedToken>,
    eos_token: Option<NamedToken>,
    unk_token: Option<NamedToken>,
    /// By id, as the file writes numbers as names.
    #[serde(default)]
    added_tokens_decoder: BTreeMap<u32, AddedToken>,
}

#[derive(Deserialize)]
struct AddedToken {
    content: String,
    #[serde(default)]
    single_word: bool,
    #[serde(default)]
    lstrip: bool,
    #[serde(default)]
    rstrip: bool,
    #[serde(default)]
    normalized: bool,
    #[serde(default)]
    special: bool,
}

impl AddedToken {
    /// A special token that is matched as it is.
    fn special(content: &str) -> Self {
        Self {
            content: content.to_owned(),
            single_word: false,
            lstrip: false,
            rstrip: false,
            normalized: false,
            special: true,
        }
    }
}

/// A tokenizer as the `tokenizers` crate reads it.
pub(super) struct Converted {
    /// The tokenizer.json.
    pub(super) json: Vec<u8>,
    /// The ids that its added tokens must have.
    pub(super) added: Vec<(String, i64)>,
}

/// The tokenizer of the vocabulary in `dir`.
///
/// # Errors
/// A file is missing or damaged, or the tokenizer is neither CLIP's nor Qwen2's.
pub(super) fn read(dir: &Path) -> Result<Converted, DataError> {
    let vocabulary: BTreeMap<String, u32> = parse(&dir.join(VOCABULARY_FILE))?;
    let settings: Settings = parse(&dir.join("tokenizer_config.json"))?;
    let merges = merges(&dir.join(MERGES_FILE))?;
    let class = settings.tokenizer_class.as_deref().unwrap_or_default();
    let name = |token: &Option<NamedToken>, default: &str| {
        let named = token.as_ref().map(NamedToken::text);
        named.unwrap_or(default).to_owned()
    };
    let (start, end) = (
        name(&settings.bos_token, START_OF_TEXT),
        name(&settings.eos_token, END_OF_TEXT),
    );
    let unknown = name(&settings.unk_token, END_OF_TEXT);
    let added = added_tokens(dir, &settings, &vocabulary)?;
    let id = |token: &str| {
        let added = added.iter().find(|(_, added)| added.content == token);
        let found = added
            .map(|(&id, _)| id)
            .or_else(|| vocabulary.get(token).copied());
        found.ok_or_else(|| failed(dir, format!("its vocabulary lacks the token {token}")))
    };
    let words = |pattern: &str, behaviour: &str, invert: bool| json!({"type": "Split", "pattern": {"Regex": pattern}, "behavior": behaviour, "invert": invert});
    let bytes = |split: bool| json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": split});
    let model = |unknown: Option<&str>, ending: &str| {
        json!({
            "type": "BPE", "dropout": null, "unk_token": unknown, "fuse_unk": false,
            "continuing_subword_prefix": "", "end_of_word_suffix": ending,
            "vocab": vocabulary, "merges": merges,
        })
    };
    let (normalizer, splitters, processor, model) = match class.trim_end_matches("Fast") {
        "CLIPTokenizer" => (
            json!({"type": "Sequence", "normalizers": [
                {"type": "NFC"},
                {"type": "Replace", "pattern": {"Regex": r"\s+"}, "content": " "},
                {"type": "Lowercase"},
            ]}),
            [words(CLIP_WORDS, "Removed", true), bytes(true)],
            json!({
                "type": "RobertaProcessing", "sep": [end, id(&end)?], "cls": [start, id(&start)?],
                "trim_offsets": false, "add_prefix_space": false,
            }),
            model(Some(&unknown), "</w>"),
        ),
        "Qwen2Tokenizer" => (
            json!({"type": "NFC"}),
            [words(QWEN2_WORDS, "Isolated", false), bytes(false)],
            Value::Null,
            model(None, ""),
        ),
        other => {
            return Err(failed(
                dir,
                format!(
                    "there is no tokenizer.json, and of vocabularies those of CLIPTokenizer and \
                     Qwen2Tokenizer are read, `tokenizer_class` is \"{other}\""
                ),
            ));
        }
    };
    let tokens: Vec<Value> = added
        .iter()
        .map(|(id, token)| {
            json!({
                "id": id, "content": token.content, "single_word": token.single_word,
                "lstrip": token.lstrip, "rstrip": token.rstrip, "normalized": token.normalized,
                "special": token.special,
            })
        })
        .collect();
    let whole = json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": tokens,
        "normalizer": normalizer, "post_processor": processor, "model": model,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": splitters},
        "decoder": {"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true},
    });
    let ids = added.into_iter();
    Ok(Converted {
        json: whole.to_string().into_bytes(),
        added: ids
            .map(|(id, token)| (token.content, i64::from(id)))
            .collect(),
    })
}

/// The tokens that are matched before a text is cut into words, by id: those that the settings
/// list, or else those of a file of their own and the named ones of the vocabulary.
fn added_tokens(
    dir: &Path,
    settings: &Settings,
    vocabulary: &BTreeMap<String, u32>,
) -> Result<BTreeMap<u32, AddedToken>, DataError> {
    let mut added = BTreeMap::new();
    if settings.added_tokens_decoder.is_empty() {
        let file = dir.join(ADDED_FILE);
        let listed: BTreeMap<String, u32> = match file.exists() {
            true => parse(&file)?,
            false => BTreeMap::new(),
        };
        let named = [
            &settings.bos_token,
            &settings.eos_token,
            &settings.unk_token,
        ];
        let named = named.into_iter().flatten().map(NamedToken::text);
        let known = named.filter_map(|token| Some((token, *vocabulary.get(token)?)));
        let listed = listed.iter().map(|(token, &id)| (token.as_str(), id));
        added.extend(
            known
                .chain(listed)
                .map(|(token, id)| (id, AddedToken::special(token))),
        );
        return Ok(added);
    }
    for (&id, token) in &settings.added_tokens_decoder {
        added.insert(
            id,
            AddedToken {
                content: token.content.clone(),
                ..*token
            },
        );
    }
    Ok(added)
}

/// Pairs of tokens in the order in which they become one.
fn merges(path: &Path) -> Result<Vec<(String, String)>, DataError> {
    let text = std::fs::read_to_string(path).map_err(DataError::io(path))?;
    let lines = text.lines().enumerate();
    lines
        .filter(|(i, line)| !(line.is_empty() || (*i == 0 && line.starts_with("#version"))))
        .map(|(i, line)| {
            let pair = line.split_once(' ');
            let pair = pair.map(|(first, second)| (first.to_owned(), second.to_owned()));
            pair.ok_or_else(|| failed(path, format!("line {} is no pair of tokens", i + 1)))
        })
        .collect()
}

fn parse<T: DeserializeOwned>(path: &Path) -> Result<T, DataError> {
    let text = std::fs::read(path).map_err(DataError::io(path))?;
    serde_json::from_slice(&text).map_err(|error| failed(path, error))
}

fn failed(path: &Path, reason: impl std::fmt::Display) -> DataError {
    DataError::Tokenizer(format!("{}: {reason}", path.display()))
}
