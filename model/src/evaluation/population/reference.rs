//! How people are drawn: what `assets/population.json` says.
use std::collections::BTreeMap;
use std::sync::LazyLock;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::Deserialize;

use super::{MOST_TIES, Person, Want, shuffle};
use crate::data::split::{Split, stable_hash};
use crate::evaluation::axes::Axis;

/// The file, word for word.
pub(super) const TEXT: &str = include_str!("../../../../assets/population.json");

/// The reference population, fixed before anything is trained on it.
pub(super) static REFERENCE: LazyLock<Reference> = LazyLock::new(|| {
    Reference::parse(TEXT).expect("a test reads the file that the program is built with")
});

/// Both ends of a range that is drawn from evenly.
type Between<T> = [T; 2];

/// Something that only a share of the people has.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct OfSome {
    share: f64,
    between: Between<f32>,
}

/// How people are drawn.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Reference {
    format: u32,
    /// Together with the seed of a sample and a person's number it makes the person.
    seed: u64,
    /// Share of the people who are held out from all training, in per cent.
    pub(super) held_out_per_cent: u64,
    /// Number of axes that a person wants something of.
    wants: Between<usize>,
    /// Utility per standard deviation.
    weight: Between<f32>,
    /// A place on the liked side instead of ever more, in standard deviations.
    ideal: OfSome,
    /// Share of the people who are of a cluster; the others want any axes, in any direction.
    cluster_share: f64,
    /// Axes that go together, each with the end that is liked: 1 the high one, −1 the low one.
    clusters: Vec<BTreeMap<Axis, f32>>,
    /// Mean chance to choose the better picture.
    consistency: Between<f32>,
    /// Chance to call two pictures equal that hardly differ.
    tie_rate: OfSome,
    /// Log odds for one side, either.
    side_bias: OfSome,
}

/// Format of the file.
const FORMAT: u32 = 1;

impl Reference {
    /// Reads such a file, or says what is wrong with it.
    fn parse(text: &str) -> Result<Self, String> {
        let reference: Self = serde_json::from_str(text).map_err(|e| e.to_string())?;
        reference.check()?;
        Ok(reference)
    }

    fn check(&self) -> Result<(), &'static str> {
        fn within<T: PartialOrd>([low, high]: &Between<T>, least: T, most: T) -> bool {
            *low >= least && low <= high && *high <= most
        }
        let shares = [
            self.cluster_share,
            self.ideal.share,
            self.tie_rate.share,
            self.side_bias.share,
        ];
        let most = self.wants[1];
        let big_enough = |cluster: &BTreeMap<Axis, f32>| cluster.len() >= most;
        let signs = self.clusters.iter().flat_map(BTreeMap::values);
        let for_all = |cluster: &BTreeMap<Axis, f32>| cluster.keys().all(|axis| axis.told());
        if self.format != FORMAT {
            Err("it is of another format")
        } else if self.held_out_per_cent > 100 || !shares.iter().all(|s| (0.0..=1.0).contains(s)) {
            Err("a share is not between 0 and 1")
        } else if !within(&self.wants, 1, Axis::TOLD.len()) {
            Err("`wants` has to be from 1 to the number of axes")
        } else if !self.clusters.iter().any(for_all) || !self.clusters.iter().all(big_enough) {
            Err(
                "a cluster needs as many axes as a person can want, and one must have no withheld axis",
            )
        } else if !signs.into_iter().all(|sign| sign.abs() == 1.0) {
            Err("an end of a cluster's axis is 1 or -1")
        } else if !within(&self.weight, f32::MIN_POSITIVE, f32::MAX)
            || !within(&self.ideal.between, 0.0, f32::MAX)
            || !within(&self.consistency, 0.5, 1.0)
            || !within(&self.tie_rate.between, 0.0, MOST_TIES as f32)
            || !within(&self.side_bias.between, 0.0, f32::MAX)
        {
            Err("a range has its ends the wrong way round, or one that nobody can have")
        } else {
            Ok(())
        }
    }

    /// The person of this number in the sample of this seed; the same every time. What is withheld
    /// from training is wanted by held-out people alone: a choice is a label as well.
    pub(super) fn person(&self, seed: u64, number: u64) -> Person {
        let key = [self.seed, seed, number].map(u64::to_le_bytes).concat();
        let mut rng = ChaCha8Rng::seed_from_u64(stable_hash(&key));
        let held_out = super::side_of(number) == Split::HeldOut;
        let count = rng.random_range(self.wants[0]..=self.wants[1]);
        let mut ends: Vec<(Axis, f32)> = if rng.random_bool(self.cluster_share) {
            let open =
                |cluster: &&BTreeMap<Axis, f32>| held_out || cluster.keys().all(|axis| axis.told());
            let clusters: Vec<_> = self.clusters.iter().filter(open).collect();
            let cluster = clusters[rng.random_range(0..clusters.len())];
            cluster.iter().map(|(&axis, &sign)| (axis, sign)).collect()
        } else {
            let axes: &[Axis] = match held_out {
                true => &Axis::ALL,
                false => &Axis::TOLD,
            };
            let either = |&axis| (axis, if rng.random_bool(0.5) { 1.0 } else { -1.0 });
            axes.iter().map(either).collect()
        };
        shuffle(&mut ends, &mut rng);
        ends.truncate(count);
        let wants = ends.into_iter().map(|(axis, sign)| Want {
            axis,
            weight: sign * drawn(&self.weight, &mut rng),
            ideal: self.ideal.drawn(&mut rng).map(|ideal| sign * ideal),
        });
        let wants = wants.collect();
        let consistency = drawn(&self.consistency, &mut rng);
        let tie_rate = self.tie_rate.drawn(&mut rng).unwrap_or(0.0);
        let to_the_left = if rng.random_bool(0.5) { 1.0 } else { -1.0 };
        let side_bias = to_the_left * self.side_bias.drawn(&mut rng).unwrap_or(0.0);
        Person::consistent(number, wants, consistency, side_bias, tie_rate.into())
            .expect("whoever has a weight prefers some picture")
    }
}

impl OfSome {
    fn drawn(&self, rng: &mut ChaCha8Rng) -> Option<f32> {
        let has = rng.random_bool(self.share);
        has.then(|| drawn(&self.between, rng))
    }
}

fn drawn(&[low, high]: &Between<f32>, rng: &mut ChaCha8Rng) -> f32 {
    rng.random_range(low..=high)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reference_population_can_be_drawn_from() {
        assert!(
            Reference::parse(TEXT).is_ok(),
            "{:?}",
            Reference::parse(TEXT)
        );
    }

    #[test]
    fn a_population_that_nobody_could_be_drawn_from_is_refused_in_words() {
        for (from, to, said) in [
            ("\"format\": 1", "\"format\": 2", "format"),
            ("[0.8, 0.95]", "[0.95, 0.8]", "range"),
            ("\"cluster_share\": 0.7", "\"cluster_share\": 7", "share"),
            ("\"fill\": 1", "\"fill\": 2", "1 or -1"),
            ("\"wants\": [1, 3]", "\"wants\": [1, 4]", "cluster"),
            ("\"outline\"", "\"loudness\"", "loudness"),
        ] {
            assert!(TEXT.contains(from), "{from}");
            let error = Reference::parse(&TEXT.replacen(from, to, 1)).unwrap_err();
            assert!(error.contains(said), "{error}");
        }
    }
}
