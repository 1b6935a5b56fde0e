//! What the judge says of pictures that were drawn for people's own words.
use image::RgbImage;
use serde::Serialize;

use super::judge::Judge;
use super::pictures::GUESSES;
use crate::data::artwork::Artwork;

/// The judge, and the artwork whose names for things tell what a prompt asks for.
pub struct Jury<'a> {
    /// Names subjects and styles.
    pub judge: &'a Judge,
    /// Without it no subject has a name, and styles alone are judged.
    pub artwork: Option<&'a Artwork>,
}

/// What the judge sees in a picture.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Seen {
    /// Its style.
    pub style: String,
    /// Whether what was asked for is among the judge's first five guesses; none where the prompt
    /// names nothing that the judge knows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<bool>,
}

impl Jury<'_> {
    /// Looks at pictures of one prompt each.
    ///
    /// # Panics
    /// When there are more or fewer prompts than pictures.
    pub fn look(&self, prompts: &[&str], pictures: &[RgbImage]) -> Vec<Seen> {
        assert_eq!(prompts.len(), pictures.len(), "a prompt a picture");
        let styles = self.judge.styles_of(pictures).into_iter();
        let guesses = self.judge.subjects_of(pictures, GUESSES);
        let shown = styles.zip(guesses).zip(prompts);
        let seen = shown.map(|((style, guesses), prompt)| {
            let asked = self.subjects_of(prompt);
            Seen {
                style: self.judge.config().styles[style].clone(),
                subject: (!asked.is_empty())
                    .then(|| guesses.iter().any(|guess| asked.contains(guess))),
            }
        });
        seen.collect()
    }

    /// Codes of the subjects that the judge knows and the prompt names.
    fn subjects_of(&self, prompt: &str) -> Vec<&str> {
        let subjects = self.artwork.map_or(&[][..], Artwork::subjects);
        let known = subjects
            .iter()
            .filter(|subject| self.judge.config().subjects.contains(&subject.code));
        let names = known.flat_map(|subject| {
            let names = std::iter::once(&subject.label).chain(&subject.synonyms);
            names.map(|name| (name.as_str(), subject.code.as_str()))
        });
        named(prompt, names)
    }
}

/// What is named by the longest of the names that the prompt has in it, word for word: several where
/// they share it.
fn named<'a>(prompt: &str, names: impl Iterator<Item = (&'a str, &'a str)>) -> Vec<&'a str> {
    let words = |text: &str| {
        let split = text.split(|c: char| !c.is_alphanumeric());
        let words: Vec<String> = split
            .filter(|w| !w.is_empty())
            .map(str::to_lowercase)
            .collect();
        format!(" {} ", words.join(" "))
    };
    let prompt = words(prompt);
    let (mut longest, mut codes) = (0, Vec::new());
    for (name, code) in names {
        let name = words(name);
        if name.trim().is_empty() || !prompt.contains(&name) || name.len() < longest {
            continue;
        }
        if name.len() > longest {
            longest = name.len();
            codes.clear();
        }
        if !codes.contains(&code) {
            codes.push(code);
        }
    }
    codes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_name_in_a_prompt_says_what_is_asked_for() {
        let names = [
            ("dog", "1f415"),
            ("hot dog", "1f32d"),
            ("Dog", "1f436"),
            ("dog face", "1f436"),
            ("", "0"),
        ];
        let named = |prompt| named(prompt, names.into_iter());
        assert_eq!(named("A DOG, please!"), ["1f415", "1f436"]);
        assert_eq!(named("a hot dog"), ["1f32d"]);
        assert_eq!(named("a dog face"), ["1f436"]);
        assert!(named("a dogma").is_empty() && named("").is_empty());
    }
}
