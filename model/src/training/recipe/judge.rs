//! The stage of the judge.

use super::{Outcome, Recipe};
use crate::evaluation::judge::Judge;
use crate::training::TrainError;
use crate::training::judge::{JudgeStage, split_pictures};
use crate::training::pictures::PictureBank;
use crate::training::preset::{self, StageName};
use crate::weights::{Component, Params};

/// Sets the judge's random start apart from all other networks'.
const JUDGE_SEED: u64 = 0x006a_7564_6765;

impl Recipe {
    pub(super) fn judge(&self) -> Result<Outcome, TrainError> {
        let settings = self.settings(StageName::Judge);
        let artwork = self.artwork()?;
        let config = preset::judge(&artwork);
        // A seed of its own, and never another model's weights: the judge stays apart.
        let params = Params::random(self.seed ^ JUDGE_SEED, self.kind, self.device);
        let judge = Judge::new(&params, config.clone())?;
        let (train, mut held_out) = split_pictures(&artwork);
        // Neighbours in the set show one subject; the measured part should not be a few subjects.
        held_out.sort_by_key(|&i| (i as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let train = PictureBank::draw(&artwork, &train, settings.variants, self.device);
        let held_out = PictureBank::draw(&artwork, &held_out, 1, self.device);
        let mut stage = JudgeStage {
            judge,
            params,
            artwork,
            train,
            held_out,
            batch: settings.batch,
        };
        self.finish(&mut stage, &self.options(StageName::Judge), |weights| {
            self.export(Component::Judge, &config, &weights)
        })
    }
}
