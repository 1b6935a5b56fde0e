//! Tokenizers against transformers: the ids of a thousand strings, emoji, scripts without spaces,
//! over-long and empty ones among them. The cases are made by `generate_tokenizers.py`.

use std::path::Path;

use predilect_model::data::tokenizer::Tokenizer;
use predilect_model::networks::clip::ClipTextConfig;

use super::folders;

/// Every string of a case with the ids that transformers gives it.
type Texts = Vec<(String, Vec<i64>)>;

fn case(name: &str) -> (Tokenizer, Texts) {
    let folder = folders("tokenizer")
        .into_iter()
        .find(|folder| folder.ends_with(name))
        .expect("the case");
    let read = |file: &Path| std::fs::read(file).expect("a readable case");
    let texts: Texts = serde_json::from_slice(&read(&folder.join("texts.json"))).expect("pairs");
    assert!(texts.len() >= 1000);
    let tokenizer = Tokenizer::open(&folder.join("tokenizer.json")).expect("a tokenizer");
    (tokenizer, texts)
}

/// Compares all, and names those that differ.
fn check(texts: &Texts, ids: impl Fn(&str) -> Vec<i64>) {
    let other: Vec<&String> = texts
        .iter()
        .filter(|(text, wanted)| ids(text) != *wanted)
        .map(|(text, _)| text)
        .collect();
    assert!(other.is_empty(), "{} differ: {other:?}", other.len());
}

#[test]
fn a_clip_tokenizer_gives_the_ids_of_transformers_cut_and_filled_up() {
    let (tokenizer, texts) = case("clip");
    let config = ClipTextConfig::default();
    let longest = tokenizer.longest().expect("a limit");
    check(&texts, |text| {
        let ids = tokenizer.encode(text, true).expect("ids");
        let packed = config.pack(&[ids], tokenizer.pad(), longest);
        Vec::try_from(packed.flatten(0, 1)).expect("integers")
    });
}

#[test]
fn a_qwen2_tokenizer_gives_the_ids_of_transformers() {
    let (tokenizer, texts) = case("qwen2");
    check(&texts, |text| tokenizer.encode(text, true).expect("ids"));
}
