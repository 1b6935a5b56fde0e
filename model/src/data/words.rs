//! Labels, tags and synonyms of the subjects, from emojibase and emojilib.
use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use serde::Deserialize;

use super::DataError;
use super::npm;
use super::sources::{EMOJIBASE, EMOJILIB};

/// What is known in words about one subject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SubjectWords {
    pub(crate) label: String,
    pub(crate) tags: Vec<String>,
    pub(crate) synonyms: Vec<String>,
    pub(crate) group: String,
    pub(crate) subgroup: String,
}

/// The word lists, and the names under which a set may know a subject.
pub(crate) struct Words {
    /// Every subject that may be drawn, by code: no flags of places, no skin tones.
    pub(crate) subjects: BTreeMap<String, SubjectWords>,
    /// Normalised names (see [`normalise`]) to codes, weakest kind of name last.
    pub(crate) names: Vec<HashMap<String, String>>,
}

#[derive(Deserialize)]
struct Entry {
    hexcode: String,
    emoji: String,
    label: String,
    #[serde(default)]
    tags: Vec<String>,
    group: Option<u32>,
    subgroup: Option<u32>,
}

#[derive(Deserialize)]
struct Groups {
    groups: HashMap<String, String>,
    subgroups: HashMap<String, String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl OneOrMany {
    fn names(&self) -> &[String] {
        match self {
            Self::One(name) => std::slice::from_ref(name),
            Self::Many(names) => names,
        }
    }
}

/// A code as it is written everywhere here: lower-case, without variation selectors.
pub(crate) fn normal_code(code: &str) -> String {
    let code = code.to_ascii_lowercase();
    code.split('-')
        .filter(|part| *part != "fe0f")
        .collect::<Vec<_>>()
        .join("-")
}

/// A name with everything but letters and digits taken out, in lower case.
pub(crate) fn normalise(name: &str) -> String {
    name.chars()
        .filter(|c| c.is_alphanumeric())
        .flat_map(char::to_lowercase)
        .collect()
}

/// Lists of short names, the most reliable first. All but CLDR's are names people type.
const SHORTCODES: [&str; 6] = [
    "cldr",
    "emojibase",
    "github",
    "iamcal",
    "joypixels",
    "emojibase-legacy",
];

pub(crate) fn load(cache: &Path) -> Result<Words, DataError> {
    let base = npm::open(cache, EMOJIBASE, |path| {
        path.starts_with("en/") || path.starts_with("meta/")
    })?;
    let entries: Vec<Entry> = base.json("en/data.json")?;
    let groups: Groups = base.json("meta/groups.json")?;
    let lib = npm::open(cache, EMOJILIB, |path| path == "dist/emoji-en-US.json")?;
    let lib: HashMap<String, Vec<String>> = lib.json("dist/emoji-en-US.json")?;

    let mut tags_of: BTreeMap<String, (Entry, Vec<String>)> = BTreeMap::new();
    for entry in entries {
        let mut tags: Vec<String> = entry.tags.iter().map(|tag| plain(tag)).collect();
        let more = lib
            .get(&entry.emoji)
            .into_iter()
            .flatten()
            .map(|tag| plain(tag));
        for tag in more {
            if !tags.contains(&tag) {
                tags.push(tag);
            }
        }
        tags.retain(|tag| !tag.is_empty());
        tags_of.insert(normal_code(&entry.hexcode), (entry, tags));
    }

    let mut shortcodes = Vec::new();
    for list in SHORTCODES {
        let by_code: BTreeMap<String, OneOrMany> =
            base.json(&format!("en/shortcodes/{list}.json"))?;
        shortcodes.push(by_code);
    }

    let mut use_count: HashMap<&str, usize> = HashMap::new();
    for (_, tags) in tags_of.values() {
        for tag in tags {
            *use_count.entry(tag).or_default() += 1;
        }
    }
    let mut subjects = BTreeMap::new();
    for (code, (entry, tags)) in &tags_of {
        let (Some(group), Some(subgroup)) = (entry.group, entry.subgroup) else {
            continue;
        };
        let group = groups
            .groups
            .get(&group.to_string())
            .cloned()
            .unwrap_or_default();
        let subgroup = groups
            .subgroups
            .get(&subgroup.to_string())
            .cloned()
            .unwrap_or_default();
        if group == "component" || matches!(subgroup.as_str(), "country-flag" | "subdivision-flag")
        {
            continue;
        }
        let label = plain(&entry.label.replace('#', "hash").replace('*', "asterisk"));
        let typed = shortcodes[1..]
            .iter()
            .filter_map(|list| list.get(&entry.hexcode))
            .flat_map(OneOrMany::names)
            .map(|name| plain(name));
        let synonyms = synonyms(&label, typed, tags, &use_count);
        subjects.insert(
            code.clone(),
            SubjectWords {
                label,
                tags: tags.clone(),
                synonyms,
                group,
                subgroup,
            },
        );
    }

    let unicode: BTreeMap<String, String> = base.json("meta/unicode-names.json")?;
    let mut names = vec![
        by_name(
            &subjects,
            unicode
                .iter()
                .map(|(code, name)| (code.as_str(), name.as_str())),
        ),
        by_name(
            &subjects,
            tags_of
                .iter()
                .map(|(code, (entry, _))| (code.as_str(), entry.label.as_str())),
        ),
    ];
    names.extend(shortcodes.iter().map(|list| {
        let pairs = list.iter().flat_map(|(code, many)| {
            many.names()
                .iter()
                .map(|name| (code.as_str(), name.as_str()))
        });
        by_name(&subjects, pairs)
    }));
    Ok(Words { subjects, names })
}

/// Normalised names to codes of known subjects; of several subjects with a name the first stays.
fn by_name<'a>(
    subjects: &BTreeMap<String, SubjectWords>,
    pairs: impl Iterator<Item = (&'a str, &'a str)>,
) -> HashMap<String, String> {
    let mut names = HashMap::new();
    for (code, name) in pairs {
        let code = normal_code(code);
        if subjects.contains_key(&code) {
            names.entry(normalise(name)).or_insert(code);
        }
    }
    names
}

/// A label or tag as a person would type it: lower case, words apart, no emoticons.
fn plain(text: &str) -> String {
    let spaced: String = text
        .to_lowercase()
        .chars()
        .map(|c| {
            if matches!(c, '_' | '“' | '”' | ':' | '’' | '(' | ')' | ',') {
                ' '
            } else {
                c
            }
        })
        .collect();
    let text = spaced.split_whitespace().collect::<Vec<_>>().join(" ");
    let wordy = text.chars().any(char::is_alphanumeric)
        && text
            .chars()
            .all(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '&' | '!' | '.'));
    if wordy { text } else { String::new() }
}

/// Words that stand for the subject by themselves: the short names people type, and tags that are
/// part of the label and shared by few subjects. The other tags are associations ("diet" for an
/// apple).
fn synonyms(
    label: &str,
    typed: impl Iterator<Item = String>,
    tags: &[String],
    use_count: &HashMap<&str, usize>,
) -> Vec<String> {
    let words: Vec<&str> = label.split([' ', '-']).collect();
    let part_of_label = |tag: &&String| {
        let uses = use_count.get(tag.as_str()).copied().unwrap_or(0);
        uses <= 8 && tag.split(' ').all(|word| words.contains(&word))
    };
    let mut found: Vec<String> = Vec::new();
    for name in typed.chain(tags.iter().filter(part_of_label).cloned()) {
        let numbered = name.chars().any(|c| c.is_ascii_digit());
        if name != label && name.len() > 2 && !numbered && !found.contains(&name) {
            found.push(name);
        }
    }
    found
}
