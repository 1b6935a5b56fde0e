//! Does the model draw what it is asked for? The judge says, among all subjects.
use image::RgbImage;
use predilect_statistics::{Interval, wilson};
use serde::Serialize;

use super::drawing::{EvaluationError, Request, draw};
use super::judge::Judge;
use super::reconstruction::reconstruct;
use super::wordings::Wording;
use crate::data::artwork::Artwork;
use crate::data::split::{Split, stable_hash};
use crate::engine::{Engine, Taste};
use crate::weights::ModelFolder;

/// Guesses of the judge of which one has to be right.
pub(super) const GUESSES: usize = 5;

/// A prompt and the subject it names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prompt {
    /// What is asked for.
    pub text: String,
    /// The subject, as a position in the artwork's list.
    pub subject: usize,
}

/// `count` prompts, a subject each, drawn from one side of the split by a fixed order that the
/// seed shuffles. Subjects drawn in fewer than five styles are left out: they are hard to learn
/// and to judge; so are those that cannot be asked for in the wording.
pub fn prompts(
    artwork: &Artwork,
    split: Split,
    wording: Wording,
    count: usize,
    seed: u64,
) -> Vec<Prompt> {
    let mut drawn = vec![0; artwork.subjects().len()];
    for i in 0..artwork.len() {
        drawn[artwork.picture(i).subject] += 1;
    }
    let mut order: Vec<(u64, usize)> = artwork
        .subjects()
        .iter()
        .enumerate()
        .filter(|(i, subject)| subject.split == split && drawn[*i] >= 5)
        .map(|(i, subject)| {
            (
                stable_hash(format!("{seed} {}", subject.code).as_bytes()),
                i,
            )
        })
        .collect();
    order.sort_unstable();
    order
        .into_iter()
        .filter_map(|(_, subject)| {
            let text = wording.ask(&artwork.subjects()[subject], seed)?;
            Some(Prompt { text, subject })
        })
        .take(count)
        .collect()
}

/// What the judge said of one picture.
#[derive(Debug, Clone, Serialize)]
pub struct Judged {
    /// What was asked for.
    pub prompt: String,
    /// Labels of the judge's guesses, likeliest first.
    pub guesses: Vec<String>,
    /// The subject's place among them, from 0; `None` where it is not.
    pub rank: Option<usize>,
}

/// How often the judge named what was asked for.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Hits {
    /// Share of the pictures whose subject is the judge's first guess.
    pub top1: f64,
    /// Share of those whose subject is among its first five.
    pub top5: f64,
    /// 95 % interval of `top5` (Wilson); `None` without pictures.
    pub top5_interval: Option<Interval>,
}

impl Hits {
    pub(super) fn of(judged: &[Judged]) -> Self {
        let n = judged.len();
        let within = |guesses: usize| {
            let hit = |picture: &&Judged| picture.rank.is_some_and(|rank| rank < guesses);
            judged.iter().filter(hit).count() as f64
        };
        Self {
            top1: within(1) / n.max(1) as f64,
            top5: within(GUESSES) / n.max(1) as f64,
            top5_interval: wilson(within(GUESSES), n as u64),
        }
    }
}

/// The judge's findings over pictures of prompts.
#[derive(Debug, Clone, Serialize)]
pub struct PictureReport {
    /// The drawn pictures.
    pub drawn: Hits,
    /// Real artwork of the same subjects: what the judge can do at best.
    pub real: Hits,
    /// That artwork after the latent encoder, Stage B and Stage A: what a perfect prior could
    /// reach.
    pub reconstructed: Hits,
    /// Picture by picture.
    pub pictures: Vec<Judged>,
}

/// Draws a picture of each prompt and lets the judge name it. `folder` is the engine's.
///
/// Returns the report and the pictures in the order of the prompts.
///
/// # Errors
/// When drawing fails or the judge does not know a subject.
pub fn judge_prompts(
    engine: &Engine,
    folder: &ModelFolder,
    judge: &Judge,
    artwork: &Artwork,
    prompts: &[Prompt],
    seed: u64,
) -> Result<(PictureReport, Vec<RgbImage>), EvaluationError> {
    let requests = prompts
        .iter()
        .map(|prompt| Request {
            prompt: prompt.text.clone(),
            seeds: vec![seed],
            taste: Taste::Base,
        })
        .collect();
    let drawn: Vec<RgbImage> = draw(engine, requests)?.into_iter().flatten().collect();
    let judged = name(judge, artwork, prompts, &drawn)?;
    let real: Vec<RgbImage> = prompts
        .iter()
        .map(|prompt| rendering(artwork, prompt.subject, seed))
        .collect();
    let ceiling = name(judge, artwork, prompts, &real)?;
    let reconstructed = reconstruct(folder, &real, seed)?;
    let reconstructed = name(judge, artwork, prompts, &reconstructed)?;
    let report = PictureReport {
        drawn: Hits::of(&judged),
        real: Hits::of(&ceiling),
        reconstructed: Hits::of(&reconstructed),
        pictures: judged,
    };
    Ok((report, drawn))
}

/// Lets the judge name a picture of each prompt.
pub(super) fn name(
    judge: &Judge,
    artwork: &Artwork,
    prompts: &[Prompt],
    pictures: &[RgbImage],
) -> Result<Vec<Judged>, EvaluationError> {
    let label = |code: &str| {
        let known = artwork
            .subjects()
            .iter()
            .find(|subject| subject.code == code);
        known.map_or_else(|| code.to_owned(), |subject| subject.label.clone())
    };
    prompts
        .iter()
        .zip(judge.subjects_of(pictures, GUESSES))
        .map(|(prompt, guesses)| {
            let code = &artwork.subjects()[prompt.subject].code;
            if !judge.config().subjects.contains(code) {
                return Err(EvaluationError::UnknownSubject(code.clone()));
            }
            Ok(Judged {
                prompt: prompt.text.clone(),
                rank: guesses.iter().position(|guess| guess == code),
                guesses: guesses.into_iter().map(label).collect(),
            })
        })
        .collect()
}

/// One real picture of the subject, in a style that the seed chooses.
pub(super) fn rendering(artwork: &Artwork, subject: usize, seed: u64) -> RgbImage {
    let of_subject: Vec<usize> = (0..artwork.len())
        .filter(|&i| artwork.picture(i).subject == subject)
        .collect();
    let key = format!("{seed} {subject} rendering");
    let choice = stable_hash(key.as_bytes()) % of_subject.len().max(1) as u64;
    artwork.composite(of_subject[choice as usize], [255; 3])
}
