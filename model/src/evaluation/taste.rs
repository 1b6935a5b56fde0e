//! Short English descriptions of a taste.
use super::axes::Axis;

/// Words for the low and the high end of an axis.
pub fn words(axis: Axis, high: bool) -> &'static str {
    match (axis, high) {
        (Axis::Colourfulness, true) => "colourful pictures",
        (Axis::Colourfulness, false) => "pictures in one plain colour",
        (Axis::Brightness, true) => "bright, light pictures",
        (Axis::Brightness, false) => "dark pictures",
        (Axis::Warmth, true) => "warm colours",
        (Axis::Warmth, false) => "cool colours",
        (Axis::Outline, true) => "bold dark outlines",
        (Axis::Outline, false) => "soft shapes without outlines",
        (Axis::Detail, true) => "fine detail",
        (Axis::Detail, false) => "simple, calm shapes",
        (Axis::Shading, true) => "soft shading and depth",
        (Axis::Shading, false) => "flat areas of colour",
        (Axis::Background, true) => "a coloured background",
        (Axis::Background, false) => "a plain white background",
        (Axis::Fill, true) => "large drawings that fill the picture",
        (Axis::Fill, false) => "small drawings with space around them",
    }
}

/// One description: what is liked, strongest first, and what is disliked.
///
/// `likes` holds one or two ends of axes, each as (axis, high end).
pub fn sentence(likes: &[(Axis, bool)]) -> String {
    let liked: Vec<&str> = likes
        .iter()
        .map(|&(axis, high)| words(axis, high))
        .collect();
    match likes.first() {
        Some(&(axis, high)) => {
            format!(
                "likes {}; dislikes {}",
                liked.join(" and "),
                words(axis, !high)
            )
        }
        None => "has no clear preference between these pictures".to_owned(),
    }
}

/// Every kind of description once, for the tokenizer's vocabulary.
pub fn vocabulary() -> Vec<String> {
    let ends = Axis::ALL
        .into_iter()
        .flat_map(|axis| [(axis, true), (axis, false)]);
    std::iter::once(sentence(&[]))
        .chain(ends.map(|end| sentence(&[end, end])))
        .collect()
}
