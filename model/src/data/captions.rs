//! Captions of the pictures: what a person might type to get them.
use rand::{Rng, RngExt};

use super::artwork::{Style, Subject};
use super::colours::NamedColour;
use super::variant::Variant;

/// What a caption says besides the subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Said {
    /// The style.
    pub style: bool,
    /// What was changed in the picture.
    pub changes: bool,
}

impl Said {
    /// Each in half of the captions, so that what stays unsaid is left for a person's taste to
    /// explain.
    pub fn draw<R: Rng + ?Sized>(rng: &mut R) -> Self {
        Self {
            style: rng.random_bool(0.5),
            changes: rng.random_bool(0.5),
        }
    }
}

/// Share of captions whose subject is spelt wrong, as people type.
const MISSPELT: f64 = 0.06;
/// Of captions without a style, the share that has more words than it needs.
const IN_A_SENTENCE: f64 = 0.4;
/// Words around a subject that say nothing of it.
const SENTENCES: [&str; 8] = [
    "a picture of {}",
    "a sticker of {}",
    "an emoji of {}",
    "a drawing of {}",
    "please draw {}",
    "i want {}",
    "{}, please",
    "give me {}",
];

/// A caption for a picture of `subject` in `style`, changed as `variant` says.
pub fn caption<R: Rng + ?Sized>(
    subject: &Subject,
    style: &Style,
    variant: &Variant,
    said: Said,
    rng: &mut R,
) -> String {
    let mut name = name(subject, rng).to_owned();
    if rng.random_bool(MISSPELT) {
        name = misspelt(&name, rng);
    }
    let thing = match rng.random_range(0..3) {
        0 => name,
        _ => with_article(&name),
    };
    let mut text = match (said.style, pick(&style.words, rng)) {
        (true, Some(words)) => match rng.random_range(0..4) {
            0 => format!("{thing}, {words}"),
            1 => format!("{words}, {thing}"),
            2 => format!("{thing} as {}", with_article(words)),
            _ => format!("{} of {thing}", with_article(words)),
        },
        _ if rng.random_bool(IN_A_SENTENCE) => {
            let sentence = SENTENCES[rng.random_range(0..SENTENCES.len())];
            sentence.replace("{}", &thing)
        }
        _ => thing,
    };
    if said.changes {
        if let Some(tint) = variant.tint {
            text = format!("{text} in {}", tint.name);
        }
        match variant.background {
            Some(background) => {
                text = format!("{text} on {} background", with_article(background.name));
            }
            None if rng.random_bool(0.2) => text.push_str(" on a white background"),
            None => {}
        }
        if is_small(variant) {
            text.push_str(", small");
        }
    }
    text
}

/// Whether captions say the same of what was changed in two pictures of one subject.
pub fn said_alike(one: &Variant, other: &Variant) -> bool {
    let words = |variant: &Variant| {
        let name = |colour: Option<&'static NamedColour>| colour.map(|colour| colour.name);
        let colours = (name(variant.tint), name(variant.background));
        (colours, is_small(variant))
    };
    words(one) == words(other)
}

/// Whether a caption that says the changes calls the picture small.
fn is_small(variant: &Variant) -> bool {
    variant.scale < 0.75
}

/// The label, or in some of the captions a synonym.
fn name<'a, R: Rng + ?Sized>(subject: &'a Subject, rng: &mut R) -> &'a str {
    match pick(&subject.synonyms, rng) {
        Some(synonym) if rng.random_bool(0.4) => synonym,
        _ => &subject.label,
    }
}

/// The words with one letter left out, typed twice or taken for another; a word's first letter
/// stays.
fn misspelt<R: Rng + ?Sized>(words: &str, rng: &mut R) -> String {
    let mut letters: Vec<char> = words.chars().collect();
    let inside = |&i: &usize| letters[i].is_alphabetic() && letters[i - 1].is_alphabetic();
    let places: Vec<usize> = (1..letters.len()).filter(inside).collect();
    if !places.is_empty() {
        let place = places[rng.random_range(0..places.len())];
        match rng.random_range(0..3) {
            0 => drop(letters.remove(place)),
            1 => letters.insert(place, letters[place]),
            _ => letters[place] = char::from(rng.random_range(b'a'..=b'z')),
        }
    }
    letters.into_iter().collect()
}

fn pick<'a, R: Rng + ?Sized>(words: &'a [String], rng: &mut R) -> Option<&'a str> {
    (!words.is_empty()).then(|| words[rng.random_range(0..words.len())].as_str())
}

/// The words with "a" or "an" in front, unless they read as a plural or a symbol.
pub fn with_article(words: &str) -> String {
    let last = words.rsplit(' ').next().unwrap_or(words);
    let plural = last.ends_with('s') && !last.ends_with("ss") && !last.ends_with("us");
    match words.chars().next() {
        Some(first) if first.is_alphabetic() && !plural => {
            // Spelled vowels are right for nearly all of the set's words.
            let sound = matches!(first, 'a' | 'e' | 'i' | 'o' | 'u');
            let exception = ["uni", "use", "one ", "euro"]
                .iter()
                .any(|start| words.starts_with(start));
            format!("{} {words}", if sound && !exception { "an" } else { "a" })
        }
        _ => words.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;
    use crate::data::colours::COLOURS;
    use crate::data::split::Split;

    fn apple() -> (Subject, Style) {
        let subject = Subject {
            code: "1f34e".into(),
            label: "red apple".into(),
            synonyms: vec!["apple".into()],
            tags: vec!["fruit".into()],
            group: "food-drink".into(),
            subgroup: "food-fruit".into(),
            split: Split::Train,
        };
        let style = Style {
            id: "fluent-3d".into(),
            mono: false,
            words: vec!["3d render".into()],
            package: "p@1".into(),
            licence: "MIT".into(),
        };
        (subject, style)
    }

    fn many(variant: Variant) -> Vec<String> {
        let (subject, style) = apple();
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        (0..4000)
            .map(|_| {
                let said = Said::draw(&mut rng);
                caption(&subject, &style, &variant, said, &mut rng)
            })
            .collect()
    }

    fn share(captions: &[String], words: &str) -> f64 {
        captions.iter().filter(|text| text.contains(words)).count() as f64 / captions.len() as f64
    }

    #[test]
    fn captions_name_the_subject_and_some_are_bare() {
        let captions = many(Variant::PLAIN);
        assert!(share(&captions, "apple") > 1.0 - MISSPELT);
        for bare in ["apple", "red apple", "a red apple", "an apple"] {
            assert!(captions.iter().any(|text| text == bare), "{bare}");
        }
    }

    #[test]
    fn style_and_changes_are_said_in_half() {
        let variant = Variant {
            background: Some(&COLOURS[5]),
            ..Variant::PLAIN
        };
        let captions = many(variant);
        assert!((share(&captions, "3d render") - 0.5).abs() < 0.05);
        assert!((share(&captions, "on a blue background") - 0.5).abs() < 0.05);
    }

    #[test]
    fn what_is_left_unsaid_shows_in_no_caption() {
        let (subject, style) = apple();
        let blue = Variant {
            background: Some(&COLOURS[5]),
            ..Variant::PLAIN
        };
        let said = Said {
            style: false,
            changes: false,
        };
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        for _ in 0..200 {
            let text = caption(&subject, &style, &blue, said, &mut rng);
            assert!(
                !text.contains("3d") && !text.contains("background"),
                "{text}"
            );
        }
        let turned = Variant {
            hue_degrees: 90.0,
            ..blue
        };
        assert!(said_alike(&blue, &turned));
        assert!(!said_alike(&blue, &Variant::PLAIN));
    }

    #[test]
    fn a_misspelt_name_is_wrong_in_one_letter_and_begins_right() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let all: Vec<String> = (0..200).map(|_| misspelt("red apple", &mut rng)).collect();
        for wrong in ["red aple", "red appple", "redd apple"] {
            assert!(all.iter().any(|text| text == wrong), "{wrong}");
        }
        let begins = |text: &String| text.starts_with('r') && text.contains(" a");
        assert!(all.iter().all(begins), "{all:?}");
        assert_eq!(misspelt("x 7", &mut rng), "x 7");
    }

    #[test]
    fn articles_follow_the_sound() {
        assert_eq!(with_article("orange"), "an orange");
        assert_eq!(with_article("unicorn"), "a unicorn");
        assert_eq!(with_article("chopsticks"), "chopsticks");
        assert_eq!(with_article("octopus"), "an octopus");
    }
}
