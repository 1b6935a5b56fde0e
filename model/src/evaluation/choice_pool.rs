//! Pictures that simulated people choose between: several of each prompt.
use image::RgbImage;
use rand::RngExt;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use super::axes::{AxisValues, farthest, measure};
use super::next_pair::NextPair;
use super::population::{Choice, Person};
use crate::preference::conversation::PreferencePair;
use crate::preference::pair_bank::{PairBank, PairBankError, Side};

/// Pictures in blocks of one prompt each.
pub struct ChoicePool {
    prompts: Vec<String>,
    /// Pictures of each prompt.
    seeds: usize,
    pictures: Vec<RgbImage>,
    /// Normalised, in the order of the pictures.
    axes: Vec<AxisValues>,
    /// Of each prompt the two pictures that differ most: what a bank would show.
    pairs: Vec<(usize, usize)>,
}

/// Which pair a person is shown next; none comes again before all were shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    /// Any.
    AtRandom,
    /// The one that is expected to tell most after the answers so far.
    ToTellMost,
}

/// A choice between two pictures of one prompt, as positions in the pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chosen {
    /// The prompt.
    pub prompt: usize,
    /// The picture that was chosen.
    pub preferred: usize,
    /// The picture that was not.
    pub rejected: usize,
}

impl ChoicePool {
    /// A pool of these pictures, prompt by prompt.
    ///
    /// # Panics
    /// When there are no prompts, or fewer than two pictures of each.
    pub fn new(prompts: Vec<String>, pictures: Vec<RgbImage>) -> Self {
        let seeds = pictures.len() / prompts.len();
        assert!(seeds >= 2, "a choice needs two pictures of a prompt");
        assert_eq!(seeds * prompts.len(), pictures.len());
        let axes: Vec<AxisValues> = pictures.iter().map(|p| measure(p).normalised()).collect();
        let pair = |(prompt, axes)| {
            let (a, b) = farthest(axes).expect("two or more pictures of a prompt");
            (prompt * seeds + a, prompt * seeds + b)
        };
        let pairs = axes.chunks(seeds).enumerate().map(pair).collect();
        Self {
            prompts,
            seeds,
            pictures,
            axes,
            pairs,
        }
    }

    /// The pairs of a bank: what people really choose between.
    ///
    /// # Errors
    /// When a picture cannot be read.
    pub fn of_bank(bank: &PairBank) -> Result<Self, PairBankError> {
        let (mut prompts, mut pictures) = (Vec::new(), Vec::new());
        for pair in bank.pairs() {
            prompts.push(pair.prompt.clone());
            for side in [Side::Left, Side::Right] {
                pictures.push(bank.read_picture(pair, side)?);
            }
        }
        Ok(Self::new(prompts, pictures))
    }

    /// The prompts of both pools.
    ///
    /// # Panics
    /// When one has more pictures of a prompt than the other.
    pub fn join(mut self, other: Self) -> Self {
        assert_eq!(self.seeds, other.seeds, "pools of one shape");
        let moved = |(a, b)| (self.pictures.len() + a, self.pictures.len() + b);
        self.pairs.extend(other.pairs.into_iter().map(moved));
        self.prompts.extend(other.prompts);
        self.pictures.extend(other.pictures);
        self.axes.extend(other.axes);
        self
    }

    /// The prompts.
    pub fn prompts(&self) -> &[String] {
        &self.prompts
    }

    /// The pictures of a prompt.
    pub fn pictures_of(&self, prompt: usize) -> &[RgbImage] {
        &self.pictures[prompt * self.seeds..(prompt + 1) * self.seeds]
    }

    /// The normalised axes of a picture.
    pub fn axes(&self, picture: usize) -> &AxisValues {
        &self.axes[picture]
    }

    /// Shows a person pairs as a bank has them, at random, until `count` of them did not end in a
    /// tie; none comes again before all were shown. A larger count begins with the same choices.
    pub fn choices(&self, person: &Person, count: usize, rng: &mut ChaCha8Rng) -> Vec<Chosen> {
        self.choices_shown(person, count, rng, |unseen, _, rng| {
            rng.random_range(0..unseen.len())
        })
    }

    /// [`ChoicePool::choices`] between pairs that tell most, by what `next` knows of
    /// [`ChoicePool::shown_pairs`].
    pub fn telling_choices(
        &self,
        person: &Person,
        count: usize,
        rng: &mut ChaCha8Rng,
        next: &NextPair,
    ) -> Vec<Chosen> {
        self.choices_shown(person, count, rng, |unseen, answers, _| {
            let told = next.information(answers);
            let most =
                (0..unseen.len()).max_by(|&a, &b| told[unseen[a]].total_cmp(&told[unseen[b]]));
            most.expect("there is always a pair to show")
        })
    }

    /// The axes of the two pictures of each prompt that are shown as a pair.
    pub fn shown_pairs(&self) -> Vec<[AxisValues; 2]> {
        let axes = |&(one, other): &(usize, usize)| [self.axes[one], self.axes[other]];
        self.pairs.iter().map(axes).collect()
    }

    /// Shows pairs until `count` choices are made. `next` says the place of the next one among those
    /// not seen yet, knowing the answers so far as if no pair ever changed sides.
    fn choices_shown<N>(
        &self,
        person: &Person,
        count: usize,
        rng: &mut ChaCha8Rng,
        mut next: N,
    ) -> Vec<Chosen>
    where
        N: FnMut(&[usize], &[(usize, Choice)], &mut ChaCha8Rng) -> usize,
    {
        let (mut unseen, mut answers): (Vec<usize>, Vec<_>) = Default::default();
        let mut choices = Vec::with_capacity(count);
        // It ends: nobody calls all near pairs equal.
        while choices.len() < count {
            if unseen.is_empty() {
                unseen.extend(0..self.prompts.len());
            }
            let place = next(&unseen, &answers, rng);
            let prompt = unseen.swap_remove(place);
            let choice = self.choose(person, prompt, rng);
            answers.push((prompt, choice));
            let (one, other) = self.pairs[prompt];
            let (preferred, rejected) = match choice {
                Choice::Left => (one, other),
                Choice::Right => (other, one),
                Choice::Tie => continue,
            };
            choices.push(Chosen {
                prompt,
                preferred,
                rejected,
            });
        }
        choices
    }

    /// What a person prefers of a prompt's pair, as if its first picture were on the left; either
    /// is there by chance.
    fn choose(&self, person: &Person, prompt: usize, rng: &mut ChaCha8Rng) -> Choice {
        let (one, other) = self.pairs[prompt];
        let (one, other) = (&self.axes[one], &self.axes[other]);
        match rng.random_bool(0.5) {
            false => person.choose_measured(one, other, rng),
            true => match person.choose_measured(other, one, rng) {
                Choice::Left => Choice::Right,
                Choice::Right => Choice::Left,
                Choice::Tie => Choice::Tie,
            },
        }
    }

    /// The pictures of a prompt that a person likes best and least, each found by choosing between
    /// the one so far and the next one.
    pub fn extremes(&self, person: &Person, rng: &mut ChaCha8Rng) -> Chosen {
        let prompt = rng.random_range(0..self.prompts.len());
        let mut shown: Vec<usize> = (prompt * self.seeds..(prompt + 1) * self.seeds).collect();
        shown.shuffle(rng);
        let mut last_left = |shown: &[usize], moves_on: Choice| {
            let mut kept = 0;
            for next in 1..shown.len() {
                let (left, right) = (shown[kept], shown[next]);
                let choice = person.choose_measured(&self.axes[left], &self.axes[right], rng);
                if choice == moves_on {
                    kept = next;
                }
            }
            kept
        };
        let best = last_left(&shown, Choice::Right);
        let preferred = shown.swap_remove(best);
        let worst = last_left(&shown, Choice::Left);
        Chosen {
            prompt,
            preferred,
            rejected: shown[worst],
        }
    }

    /// A choice as the vision-language model is shown it.
    pub fn pair(&self, chosen: &Chosen) -> PreferencePair {
        PreferencePair {
            caption: self.prompts[chosen.prompt].clone(),
            preferred: self.pictures[chosen.preferred].clone(),
            rejected: self.pictures[chosen.rejected].clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use image::Rgb;
    use rand::SeedableRng;

    use super::*;

    /// Pictures from dark to bright, the brightest last.
    fn greys(count: u8) -> Vec<RgbImage> {
        let grey = |i| RgbImage::from_pixel(32, 32, Rgb([60 + 30 * i; 3]));
        (0..count).map(grey).collect()
    }

    /// Somebody who likes bright pictures and hardly wavers.
    fn bright() -> Person {
        serde_json::from_value(serde_json::json!({
            "number": 1,
            "wants": [{"axis": "brightness", "weight": 1.0}],
            "temperature": 0.001,
            "side_bias": 0.0,
            "tie_rate": 0.0,
        }))
        .unwrap()
    }

    #[test]
    fn the_extremes_are_what_the_person_likes_best_and_least_of_one_prompt() {
        let prompts = ["a dog".to_owned(), "a cat".to_owned()];
        let pool = |prompt: &String| ChoicePool::new(vec![prompt.clone()], greys(5));
        let pool = pool(&prompts[0]).join(pool(&prompts[1]));
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut seen = [false; 2];
        for _ in 0..20 {
            let chosen = pool.extremes(&bright(), &mut rng);
            let of_prompt = chosen.prompt * 5..(chosen.prompt + 1) * 5;
            assert_eq!(chosen.preferred, of_prompt.end - 1);
            assert_eq!(chosen.rejected, of_prompt.start);
            seen[chosen.prompt] = true;
        }
        assert_eq!(seen, [true; 2]);
    }

    #[test]
    fn pairs_differ_most_and_come_again_when_all_were_shown() {
        let prompts = ["a dog", "a cat", "an owl"].map(str::to_owned);
        let pool = prompts.map(|prompt| ChoicePool::new(vec![prompt], greys(5)));
        let pool = pool.into_iter().reduce(ChoicePool::join).unwrap();
        let choices = |count| pool.choices(&bright(), count, &mut ChaCha8Rng::seed_from_u64(1));
        let six = choices(6);
        assert!(six.iter().all(|c| c.preferred - c.rejected == 4));
        for round in six.chunks(3) {
            let mut shown: Vec<usize> = round.iter().map(|c| c.prompt).collect();
            shown.sort_unstable();
            assert_eq!(shown, [0, 1, 2]);
        }
        assert_eq!(choices(2), six[..2]);
    }
}
