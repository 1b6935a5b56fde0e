//! Simulated people and what the vision-language model makes of their choices.

use std::sync::atomic::{AtomicBool, Ordering};

use tch::Tensor;

use super::TrainError;
use crate::data::split::Split;
use crate::diffusion::Noise;
use crate::evaluation::choice_pool::ChoicePool;
use crate::evaluation::population::Person;
use crate::preference::conversation::{PAIRS, PreferencePair};
use crate::preference::embedding::PreferenceEmbedder;

/// Conversations that are read together.
const BATCH: usize = 32;

/// One embedding of one person.
pub(super) struct EmbeddedPerson {
    pub(super) person: Person,
    /// `[layers + 1, hidden]` f32 on the CPU.
    pub(super) hidden: Tensor,
}

/// About `count` people of one side of the split, each with one embedding of four choices. Every
/// second one is the opposite of the one before and has answered the same pairs the other way
/// round: what tells their embeddings apart is the taste and nothing else. Progress goes to
/// standard error. `None` when `stop` was set meanwhile.
///
/// # Errors
/// The vision-language model refuses its input.
pub(super) fn read_choices(
    choices: &ChoicePool,
    embedder: &PreferenceEmbedder,
    (seed, split): (u64, Split),
    count: usize,
    stop: &AtomicBool,
) -> Result<Option<Vec<EmbeddedPerson>>, TrainError> {
    let mut people: Vec<Person> = Vec::with_capacity(count + 1);
    let mut answers: Vec<Vec<PreferencePair>> = Vec::with_capacity(BATCH);
    let mut read = Vec::with_capacity(count + 1);
    let all = (0..)
        .map(|number| Person::sample(seed, number))
        .filter(|person| person.split() == split);
    let couples: Vec<Person> = all.take(count.div_ceil(2)).collect();
    for block in couples.chunks(BATCH / 2) {
        if stop.load(Ordering::Relaxed) {
            return Ok(None);
        }
        for person in block {
            let mut noise = Noise::stream(seed, person.number());
            let chosen = choices.choices(person, PAIRS, noise.rng());
            let pairs: Vec<PreferencePair> = chosen.iter().map(|c| choices.pair(c)).collect();
            let reversed = pairs.iter().map(PreferencePair::reversed).collect();
            people.extend([person.clone(), person.opposite()]);
            answers.extend([pairs, reversed]);
        }
        let embeddings = embedder.embed_all(&answers)?;
        answers.clear();
        read.extend(embeddings.iter().map(|embedding| embedding.hidden()));
        eprint!(
            "\rpreference: read the choices of {} of {count} people",
            read.len()
        );
    }
    eprintln!();
    let together = people.into_iter().zip(read);
    Ok(Some(
        together
            .map(|(person, hidden)| EmbeddedPerson { person, hidden })
            .collect(),
    ))
}
