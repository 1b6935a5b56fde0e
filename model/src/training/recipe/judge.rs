//! The stage of the judge.

use super::{Outcome, Recipe};
use crate::evaluation::judge::Judge;
use crate::training::judge::{JudgeStage, split_pictures};
use crate::training::pictures::PictureBank;
use crate::training::preset::{self, StageName};
use crate::training::{TrainError, TrainOptions};
use crate::weights::Component;

impl Recipe {
    pub(super) fn judge(&self, options: &TrainOptions) -> Result<Outcome, TrainError> {
        let settings = self.settings(StageName::Judge);
        if settings.batch < 2 {
            return Err(TrainError::Missing(
                "the judge normalises over its batch: it needs a --batch of 2 or more".into(),
            ));
        }
        let artwork = self.artwork()?;
        let config = preset::judge(&artwork);
        let (judge, params) = self.network(Component::Judge, config.clone(), Judge::new)?;
        if judge.config() != &config {
            return Err(TrainError::Missing(
                "the judge to start from has other subjects, styles or sizes than the training \
                 set's: train it without --init-from"
                    .into(),
            ));
        }
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
        self.finish(&mut stage, options, |weights| {
            self.clear_superseded(StageName::Judge)?;
            self.export(Component::Judge, &config, &weights)
        })
    }
}
