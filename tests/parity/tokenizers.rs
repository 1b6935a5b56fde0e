//! Tokenizers against transformers: the ids of a thousand strings, emoji, scripts without spaces,
//! over-long and empty ones among them. The cases are made by `generate_tokenizers.py`.

use std::path::Path;

use predilect_model::data::tokenizer::Tokenizer;
use predilect_model::networks::clip::ClipTextConfig;
use serde_json::Value;

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

/// A case as transformers' Python classes save a tokenizer: its vocabulary, its merges, and the
/// settings with the tokens that were added.
fn saved_by_python(name: &str) -> (Tokenizer, Texts) {
    let folder = folders("tokenizer")
        .into_iter()
        .find(|folder| folder.ends_with(name))
        .expect("the case");
    let read = |file: &str| -> Value {
        let text = std::fs::read(folder.join(file)).expect("a readable case");
        serde_json::from_slice(&text).expect("JSON")
    };
    let (whole, mut settings) = (read("tokenizer.json"), read("tokenizer_config.json"));
    let mut vocabulary = whole["model"]["vocab"].clone();
    let mut added = serde_json::Map::new();
    for token in whole["added_tokens"].as_array().expect("a list") {
        let mut described = token.as_object().expect("a token").clone();
        let id = described.remove("id").expect("an id");
        added.insert(id.to_string(), described.into());
        // Qwen2's vocabulary is the plain tokens alone.
        if name == "qwen2" {
            let content = token["content"].as_str().expect("a text");
            vocabulary.as_object_mut().expect("tokens").remove(content);
        }
    }
    settings["added_tokens_decoder"] = added.into();
    let merges = whole["model"]["merges"].as_array().expect("a list");
    let merges = merges.iter().map(|pair| {
        let half = |i: usize| pair[i].as_str().expect("a token");
        format!("{} {}\n", half(0), half(1))
    });
    let merges = format!("#version: 0.2\n{}", merges.collect::<String>());

    let dir = tempfile::tempdir().expect("a folder");
    for (file, text) in [
        ("vocab.json", vocabulary.to_string()),
        ("tokenizer_config.json", settings.to_string()),
        ("merges.txt", merges),
    ] {
        std::fs::write(dir.path().join(file), text).expect("written");
    }
    let tokenizer = Tokenizer::open(&dir.path().join("tokenizer.json")).expect("a tokenizer");
    (tokenizer, case(name).1)
}

fn check_clip((tokenizer, texts): (Tokenizer, Texts)) {
    let config = ClipTextConfig::default();
    let longest = tokenizer.longest().expect("a limit");
    check(&texts, |text| {
        let ids = tokenizer.encode(text, true).expect("ids");
        let packed = config.pack(&[ids], tokenizer.pad(), longest);
        Vec::try_from(packed.flatten(0, 1)).expect("integers")
    });
}

#[test]
fn vocabularies_and_merges_give_the_ids_of_transformers_too() {
    check_clip(saved_by_python("clip"));
    let (tokenizer, texts) = saved_by_python("qwen2");
    check(&texts, |text| tokenizer.encode(text, true).expect("ids"));
}

#[test]
fn a_clip_tokenizer_gives_the_ids_of_transformers_cut_and_filled_up() {
    check_clip(case("clip"));
}

#[test]
fn a_qwen2_tokenizer_gives_the_ids_of_transformers() {
    let (tokenizer, texts) = case("qwen2");
    check(&texts, |text| tokenizer.encode(text, true).expect("ids"));
}
