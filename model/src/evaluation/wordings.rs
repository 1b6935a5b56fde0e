//! Ways of asking for a subject, also ones that no training caption has the like of.

use serde::Serialize;

use crate::data::artwork::Subject;
use crate::data::captions::with_article;
use crate::data::split::stable_hash;

/// A way of asking.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Wording {
    /// The plain name: `a red apple`.
    Label,
    /// Another name that stands for the subject: `an apple`.
    Synonym,
    /// The plain name in a sentence that training has not seen: `could you draw a red apple`.
    Reworded,
    /// The plain name with two neighbouring letters exchanged: `a red appel`.
    Typo,
}

/// Sentences around a subject, none of them in `data::captions`.
const SENTENCES: [&str; 5] = [
    "could you draw {}",
    "i would like {} please",
    "show me {}",
    "{} for my chat",
    "make {} for me",
];

impl Wording {
    /// How a person might ask for `subject`; `None` where it cannot be asked for in this way. The
    /// seed chooses among several.
    pub fn ask(self, subject: &Subject, seed: u64) -> Option<String> {
        let label = &subject.label;
        let key = format!("{seed} {} wording", subject.code);
        let choice = stable_hash(key.as_bytes()) as usize;
        match self {
            Self::Label => Some(with_article(label)),
            Self::Synonym if subject.synonyms.is_empty() => None,
            Self::Synonym => Some(with_article(
                &subject.synonyms[choice % subject.synonyms.len()],
            )),
            Self::Reworded => {
                let sentence = SENTENCES[choice % SENTENCES.len()];
                Some(sentence.replace("{}", &with_article(label)))
            }
            Self::Typo => misspelt(label, choice).map(|label| with_article(&label)),
        }
    }
}

/// Exchanges two unequal neighbouring letters inside the longest word, if it has such.
fn misspelt(label: &str, choice: usize) -> Option<String> {
    let word = label.split(' ').max_by_key(|word| word.len())?;
    let letters: Vec<char> = word.chars().collect();
    let places: Vec<usize> = (1..letters.len().saturating_sub(1))
        .filter(|&i| letters[i].is_alphabetic() && letters[i + 1].is_alphabetic())
        .filter(|&i| letters[i] != letters[i + 1])
        .collect();
    let place = *places.get(choice % places.len().max(1))?;
    let mut wrong = letters;
    wrong.swap(place, place + 1);
    Some(label.replacen(word, &wrong.into_iter().collect::<String>(), 1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::split::Split;

    fn subject(label: &str, synonyms: &[&str]) -> Subject {
        Subject {
            code: "1f34e".into(),
            label: label.into(),
            synonyms: synonyms.iter().map(|&s| s.into()).collect(),
            tags: Vec::new(),
            group: "food-drink".into(),
            subgroup: "food-fruit".into(),
            split: Split::Train,
        }
    }

    #[test]
    fn each_wording_names_the_subject_in_its_own_way() {
        let apple = subject("red apple", &["apple"]);
        assert_eq!(Wording::Label.ask(&apple, 0).unwrap(), "a red apple");
        assert_eq!(Wording::Synonym.ask(&apple, 0).unwrap(), "an apple");
        let reworded = Wording::Reworded.ask(&apple, 0).unwrap();
        assert!(reworded.contains("a red apple") && reworded.len() > 11);
        let typo = Wording::Typo.ask(&apple, 0).unwrap();
        assert_eq!(typo.len(), "a red apple".len());
        assert_ne!(typo, "a red apple");
    }

    #[test]
    fn what_cannot_be_asked_for_in_a_way_is_left_out() {
        let short = subject("ox", &[]);
        assert_eq!(Wording::Synonym.ask(&short, 0), None);
        assert_eq!(Wording::Typo.ask(&short, 0), None);
    }
}
