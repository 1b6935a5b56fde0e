//! Short English descriptions of a taste, from what a person's choices show.
use super::axes::{Axis, AxisValues};

/// Words for the low and the high end of an axis; none for an axis that is withheld
/// ([`Axis::TOLD`]).
pub fn words(axis: Axis) -> Option<[&'static str; 2]> {
    Some(match axis {
        Axis::Colourfulness => ["pictures in one plain colour", "colourful pictures"],
        Axis::Brightness => ["dark pictures", "bright, light pictures"],
        Axis::Warmth => ["cool colours", "warm colours"],
        Axis::Outline => ["soft shapes without outlines", "bold dark outlines"],
        Axis::Detail => ["simple, calm shapes", "fine detail"],
        Axis::Shading => ["flat areas of colour", "soft shading and depth"],
        Axis::Background => ["a plain white background", "a coloured background"],
        Axis::Fill => [
            "small drawings with space around them",
            "large drawings that fill the picture",
        ],
        Axis::Symmetry | Axis::Compactness => return None,
    })
}

/// One description: what is liked, strongest first, and the other end of the strongest.
///
/// `likes` holds the ends of up to two axes, each as (axis, high end); withheld ones aren't spoken
/// of.
pub fn sentence(likes: &[(Axis, bool)]) -> String {
    let ends = likes.iter().filter_map(|&(axis, high)| {
        let ends = words(axis)?;
        Some((ends[usize::from(high)], ends[usize::from(!high)]))
    });
    match ends.collect::<Vec<_>>().as_slice() {
        [] => "this person shows no clear preference in these pictures".to_owned(),
        [(liked, disliked), rest @ ..] => {
            let also: String = rest
                .iter()
                .map(|(also, _)| format!(" and {also}"))
                .collect();
            format!("this person likes {liked}{also}; dislikes {disliked}")
        }
    }
}

/// Every kind of description once, for the tokenizer's vocabulary.
pub fn vocabulary() -> Vec<String> {
    let ends = Axis::TOLD
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

/// The axes that may be spoken of ([`Axis::TOLD`]) with the evidence that the choices give for them,
/// the strongest first; positive for the high end.
pub fn ranked(choices: &[(AxisValues, AxisValues)]) -> Vec<(Axis, f32)> {
    let mut evidence: Vec<(Axis, f32)> = Axis::TOLD
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
    fn a_withheld_axis_is_never_spoken_of() {
        for axis in Axis::ALL {
            assert_eq!(words(axis).is_some(), axis.told(), "{axis:?}");
            let choices = [(at(axis, 3.0), at(axis, -3.0)); 4];
            let named = describe(&choices) != sentence(&[]);
            assert_eq!(named, axis.told(), "{axis:?}");
        }
        let said = vocabulary().join(" ");
        for withheld in ["symmetr", "mirror", "lopsided", "compact", "scattered"] {
            assert!(!said.contains(withheld), "{withheld}");
        }
    }

    #[test]
    fn descriptions_are_short() {
        for first in Axis::TOLD {
            for second in Axis::TOLD {
                let count = sentence(&[(first, true), (second, false)])
                    .split(' ')
                    .count();
                assert!((8..=25).contains(&count), "{count}");
            }
        }
    }
}
