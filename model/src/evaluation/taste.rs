//! Short English descriptions of a taste, from what a person's choices show.
use super::axes::{Axis, AxisValues};

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

/// One description: what is liked, strongest first, and the other end of the strongest.
///
/// `likes` holds the ends of up to two axes, each as (axis, high end).
pub fn sentence(likes: &[(Axis, bool)]) -> String {
    match likes {
        [] => "this person shows no clear preference in these pictures".to_owned(),
        [(axis, high), rest @ ..] => {
            let also: String = rest
                .iter()
                .map(|&(axis, high)| format!(" and {}", words(axis, high)))
                .collect();
            format!(
                "this person likes {}{also}; dislikes {}",
                words(*axis, *high),
                words(*axis, !high)
            )
        }
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

/// Evidence, in standard deviations of the artwork, from which an axis is spoken of.
const CLEAR: f32 = 0.35;
/// Share of the strongest evidence from which a second axis is spoken of as well.
const SECOND: f32 = 0.6;

/// Describes a taste from choices alone: the normalised axes of the preferred and the rejected
/// picture of each pair. Nothing of the person who chose goes in.
pub fn describe(choices: &[(AxisValues, AxisValues)]) -> String {
    let evidence = ranked(choices);
    let strongest = evidence[0].1.abs();
    let likes: Vec<(Axis, bool)> = evidence
        .into_iter()
        .take(2)
        .filter(|(_, value)| value.abs() >= CLEAR.max(SECOND * strongest))
        .map(|(axis, value)| (axis, value > 0.0))
        .collect();
    sentence(&likes)
}

/// All axes with the evidence that the choices give for them, the strongest first; positive for
/// the high end.
pub fn ranked(choices: &[(AxisValues, AxisValues)]) -> Vec<(Axis, f32)> {
    let mut evidence: Vec<(Axis, f32)> = Axis::ALL
        .into_iter()
        .map(|axis| (axis, evidence(choices, axis)))
        .collect();
    evidence.sort_by(|a, b| b.1.abs().total_cmp(&a.1.abs()));
    evidence
}

/// How strongly, and how much in one direction, the choices move an axis: the mean difference,
/// lessened by how far the choices disagree with each other.
fn evidence(choices: &[(AxisValues, AxisValues)], axis: Axis) -> f32 {
    if choices.is_empty() {
        return 0.0;
    }
    let differences: Vec<f32> = choices
        .iter()
        .map(|(preferred, rejected)| preferred[axis] - rejected[axis])
        .collect();
    let count = differences.len() as f32;
    let mean = differences.iter().sum::<f32>() / count;
    let spread = (differences.iter().map(|d| (d - mean).powi(2)).sum::<f32>() / count).sqrt();
    mean * mean.abs() / (mean.abs() + spread + f32::EPSILON)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(axis: Axis, value: f32) -> AxisValues {
        let mut values = AxisValues([0.0; Axis::ALL.len()]);
        values.0[axis.index()] = value;
        values
    }

    #[test]
    fn a_consistent_axis_is_named_with_its_direction() {
        let choices = [(at(Axis::Warmth, 1.0), at(Axis::Warmth, -1.0)); 4];
        assert_eq!(
            describe(&choices),
            "this person likes warm colours; dislikes cool colours"
        );
        let opposite = choices.map(|(a, b)| (b, a));
        assert_eq!(
            describe(&opposite),
            "this person likes cool colours; dislikes warm colours"
        );
    }

    #[test]
    fn contradicting_choices_show_no_preference() {
        let (a, b) = (at(Axis::Fill, 1.0), at(Axis::Fill, -1.0));
        assert_eq!(describe(&[(a, b), (b, a), (a, b), (b, a)]), sentence(&[]));
        assert_eq!(describe(&[]), sentence(&[]));
    }

    #[test]
    fn descriptions_are_short() {
        for first in Axis::ALL {
            for second in Axis::ALL {
                let count = sentence(&[(first, true), (second, false)])
                    .split(' ')
                    .count();
                assert!((8..=25).contains(&count), "{count}");
            }
        }
    }
}
