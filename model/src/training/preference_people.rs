//! Simulated people and what the vision-language model makes of their choices.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use tch::{Device, Tensor};

use super::TrainError;
use super::blocks::Blocks;
use super::identity::{digest, digest_all};
use crate::data::split::Split;
use crate::diffusion::Noise;
use crate::evaluation::choice_pool::ChoicePool;
use crate::evaluation::population::{Person, REFERENCE_TEXT};
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

/// What the reading of somebody's choices follows from: the model, what there is to choose, and who
/// they are.
fn origin(choices: &ChoicePool, weights: &str, who: &str) -> String {
    let pictures = (0..choices.prompts().len()).flat_map(|prompt| choices.pictures_of(prompt));
    let shown = digest_all(pictures.map(|picture| picture.as_raw()));
    digest(format!(
        "{weights}\n{who}\n{shown}\n{}",
        choices.prompts().join("\n")
    ))
}

/// About `count` people of one side of the split, each with one embedding of four choices. Every
/// second one is the opposite of the one before and has answered the same pairs the other way
/// round: what tells their embeddings apart is the taste and nothing else. What an embedder of
/// the same weights (by their hash) read before of the same people is taken from `dir`, where all
/// that is read is kept. Progress goes to standard error. `None` when `stop` was set meanwhile.
///
/// # Errors
/// The vision-language model refuses its input, or a file cannot be read or written.
pub(super) fn read_choices(
    choices: &ChoicePool,
    (embedder, weights): (&PreferenceEmbedder, &str),
    (seed, split): (u64, Split),
    count: usize,
    dir: &Path,
    stop: &AtomicBool,
) -> Result<Option<Vec<EmbeddedPerson>>, TrainError> {
    let who = format!("{seed} {split:?} {}", REFERENCE_TEXT.concat());
    let blocks = Blocks::open(dir, &origin(choices, weights, &who))?;
    let mut people = Vec::with_capacity(count + 1);
    let all = Person::sample_all(seed, split);
    let couples: Vec<Person> = all.take(count.div_ceil(2)).collect();
    for (number, block) in couples.chunks(BATCH / 2).enumerate() {
        let hidden = match blocks.read(number)? {
            // A block that was the last one of fewer people is shorter.
            Some(kept) if kept.shape("hidden")?[0] == 2 * block.len() as i64 => {
                kept.tensor("hidden", Device::Cpu)?
            }
            _ => {
                if stop.load(Ordering::Relaxed) {
                    return Ok(None);
                }
                let embeddings = embedder.embed_all(&answers(choices, block, seed))?;
                let read: Vec<Tensor> = embeddings.iter().map(|e| e.hidden()).collect();
                let hidden = Tensor::stack(&read, 0);
                blocks.write(number, &[("hidden", &hidden)])?;
                eprint!(
                    "\rpreference: read the choices of {} of {count} people",
                    people.len() + read.len()
                );
                hidden
            }
        };
        let couple = |person: &Person| [person.clone(), person.opposite()];
        let together = block.iter().flat_map(couple).zip(hidden.unbind(0));
        people.extend(together.map(|(person, hidden)| EmbeddedPerson { person, hidden }));
    }
    eprintln!();
    Ok(Some(people))
}

/// What these people answered, each followed by the opposite's answers to the same pairs.
fn answers(choices: &ChoicePool, people: &[Person], seed: u64) -> Vec<Vec<PreferencePair>> {
    let mut answers = Vec::with_capacity(2 * people.len());
    for person in people {
        let mut noise = Noise::stream(seed, person.number());
        let chosen = choices.choices(person, PAIRS, noise.rng());
        let pairs: Vec<PreferencePair> = chosen.iter().map(|c| choices.pair(c)).collect();
        let reversed = pairs.iter().map(PreferencePair::reversed).collect();
        answers.extend([pairs, reversed]);
    }
    answers
}
