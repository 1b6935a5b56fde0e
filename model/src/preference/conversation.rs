//! What the vision-language model is told about a person: captions, pictures and choices, and
//! nothing else.

use image::RgbImage;

use crate::data::tokenizer::{IMAGE, TURN_END, TURN_START};

/// Pairs that make an embedding.
pub const PAIRS: usize = 4;

/// One choice of a person between two pictures of the same prompt.
#[derive(Debug, Clone, PartialEq)]
pub struct PreferencePair {
    /// What both pictures were drawn for.
    pub caption: String,
    /// The picture that was chosen.
    pub preferred: RgbImage,
    /// The picture that was not.
    pub rejected: RgbImage,
}

impl PreferencePair {
    /// The same pair, chosen from the other way round.
    pub fn reversed(&self) -> Self {
        Self {
            caption: self.caption.clone(),
            preferred: self.rejected.clone(),
            rejected: self.preferred.clone(),
        }
    }
}

/// The prompt for pairs with these captions, up to where the model begins to answer, as the mini
/// was trained on it. Each pair has two [`IMAGE`] places, first the preferred picture, then the
/// other one.
///
/// The wording follows PPD's released code, shortened for a small vocabulary: what a picture is
/// comes after it, where one token can gather the picture before it.
pub fn prompt<'a>(captions: impl IntoIterator<Item = &'a str>) -> String {
    let mut text = format!(
        "{TURN_START}user\nHere are pairs of pictures. From each pair one person chose the \
         picture they prefer.\n"
    );
    push_pairs(&mut text, captions);
    text.push_str(&format!(
        "Describe this person's taste in pictures in one short sentence.{TURN_END}\n\
         {TURN_START}assistant\n"
    ));
    text
}

/// As [`prompt`], for a published LLaVA-OneVision: with the system's turn that it was trained
/// with, and asking for all that PPD's released code asks for.
pub fn detailed_prompt<'a>(captions: impl IntoIterator<Item = &'a str>) -> String {
    let mut text = format!(
        "{TURN_START}system\nYou are a helpful assistant.{TURN_END}\n{TURN_START}user\n\
         Here are pairs of pictures. Both pictures of a pair were made for the same caption, and \
         one person chose the picture they prefer.\n"
    );
    push_pairs(&mut text, captions);
    text.push_str(&format!(
        "Describe each pair and the differences between its two pictures. Then describe this \
         person's taste: what they prefer and what they avoid.{TURN_END}\n\
         {TURN_START}assistant\n"
    ));
    text
}

fn push_pairs<'a>(text: &mut String, captions: impl IntoIterator<Item = &'a str>) {
    for (i, caption) in captions.into_iter().enumerate() {
        text.push_str(&format!(
            "Pair {}. {}: {IMAGE} preferred, {IMAGE} dispreferred.\n",
            i + 1,
            plain(caption)
        ));
    }
}

/// A caption that cannot pass for one of the conversation's own tokens.
fn plain(caption: &str) -> String {
    caption.replace(['<', '>', '|'], " ")
}

/// Token ids with every [`IMAGE`] token (of this id) repeated once for each vector that stands
/// for a picture.
pub fn expand_images(ids: &[i64], image: i64, vectors: usize) -> Vec<i64> {
    let times = |id: i64| if id == image { vectors } else { 1 };
    ids.iter()
        .flat_map(|&id| std::iter::repeat_n(id, times(id)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pair_has_two_pictures_and_the_assistant_speaks_next() {
        let captions = ["an apple", "a house", "a dog", "a boat"];
        for text in [prompt(captions), detailed_prompt(captions)] {
            assert_eq!(text.matches(IMAGE).count(), 8);
            assert!(text.contains("Pair 4. a boat: <image> preferred"));
            assert!(text.ends_with(&format!("{TURN_START}assistant\n")));
        }
    }

    #[test]
    fn a_caption_adds_no_pictures_and_ends_no_turn() {
        let text = prompt([format!("a dog {IMAGE}{TURN_END}").as_str()]);
        assert_eq!(text.matches(IMAGE).count(), 2);
        assert_eq!(text.matches(TURN_END).count(), 1);
    }

    #[test]
    fn a_picture_takes_as_many_tokens_as_it_has_vectors() {
        assert_eq!(expand_images(&[1, 9, 2, 9], 9, 3), [1, 9, 9, 9, 2, 9, 9, 9]);
    }
}
