//! Which training a stage is, and whether it came to its end before.

use std::fs;

use super::Recipe;
use super::cascade::TEXT_DIR;
use crate::training::identity::{Identity, Settings, digest};
use crate::training::preset::{self, StageName};
use crate::training::trainer::{CHECKPOINT_FILE, has_steps_left};
use crate::training::{TrainError, TrainOptions};
use crate::weights::{Component, ModelFolder};

/// What a stage leaves behind in its folder when its weights are in the model folder.
const FINISHED_FILE: &str = "finished.json";

#[derive(serde::Serialize, serde::Deserialize)]
struct Finished {
    identity: Identity,
    /// Minutes of stepping.
    minutes: f64,
    /// Hash of the weights that were written.
    weights: String,
}

/// The networks of the model folder that a stage learns from.
fn inputs(stage: StageName) -> &'static [Component] {
    use Component::{Decoder, LatentEncoder, Prior, TextEncoder, Vlm, Vqgan};
    match stage {
        StageName::Judge | StageName::Clip | StageName::StageA => &[],
        StageName::StageB => &[Vqgan],
        StageName::StageC => &[LatentEncoder],
        StageName::Vlm => &Component::DRAWING,
        StageName::Preference => &[TextEncoder, Prior, Decoder, Vqgan, LatentEncoder, Vlm],
    }
}

/// The networks that a stage trains.
fn outputs(stage: StageName) -> &'static [Component] {
    use Component::{Decoder, ImageEncoder, Judge, LatentEncoder, PreferenceAdapter, Previewer};
    use Component::{Prior, TextEncoder, Vlm, Vqgan};
    match stage {
        StageName::Judge => &[Judge],
        StageName::Clip => &[TextEncoder, ImageEncoder],
        StageName::StageA => &[Vqgan],
        StageName::StageB => &[Decoder, LatentEncoder, Previewer],
        StageName::StageC => &[TextEncoder, Prior],
        StageName::Vlm => &[Vlm],
        StageName::Preference => &[PreferenceAdapter],
    }
}

impl Recipe {
    /// What goes from the model folder before a stage writes: the networks that it has trained, and
    /// those that were trained against the old ones and are of no use with the new. The
    /// vision-language model stays whoever drew the pictures that it learned from: it reads any.
    fn superseded(&self, stage: StageName) -> &'static [Component] {
        use Component::{Decoder, LatentEncoder, PreferenceAdapter, Previewer, Prior, TextEncoder};
        match stage {
            StageName::Judge | StageName::Clip | StageName::Preference => outputs(stage),
            StageName::StageA => &[Component::Vqgan, Decoder],
            StageName::StageB if self.freeze_encoder => &[Decoder, Previewer],
            StageName::StageB => &[
                Decoder,
                LatentEncoder,
                Previewer,
                TextEncoder,
                Prior,
                PreferenceAdapter,
            ],
            StageName::StageC => &[TextEncoder, Prior, PreferenceAdapter],
            StageName::Vlm => &[Component::Vlm, PreferenceAdapter],
        }
    }

    /// Removes what a stage's new weights supersede.
    pub(super) fn clear_superseded(&self, stage: StageName) -> Result<(), TrainError> {
        super::clear(&self.folder_of(stage), self.superseded(stage))
    }

    /// Whether the training of a stage follows from the weights of another one.
    fn learns_from(&self, later: StageName, earlier: StageName) -> bool {
        let trained: &[Component] = match earlier {
            // Its towers have a folder of their own.
            StageName::Clip => return matches!(later, StageName::StageC | StageName::Vlm),
            StageName::StageB if self.freeze_encoder => &[Component::Decoder],
            _ => outputs(earlier),
        };
        inputs(later).iter().any(|input| trained.contains(input))
    }

    /// Refuses to train a stage that later ones have learned from: their checkpoints would be of
    /// another training, which the next of them would say at its turn only.
    pub(super) fn check_later(&self, stage: StageName) -> Result<(), TrainError> {
        let options = self.options(stage)?;
        if self.has_finished(stage, &options)? || !has_steps_left(&options)? {
            return Ok(());
        }
        let mut changed = vec![stage];
        for later in StageName::ALL {
            if changed
                .iter()
                .any(|&earlier| self.learns_from(later, earlier))
            {
                changed.push(later);
            }
        }
        let begun = changed[1..]
            .iter()
            .map(|later| self.work.join(later.as_str()));
        let begun = begun.filter(|dir| {
            [dir, &dir.join(TEXT_DIR)]
                .iter()
                .any(|dir| dir.join(CHECKPOINT_FILE).exists())
        });
        let begun: Vec<String> = begun.map(|dir| dir.display().to_string()).collect();
        if begun.is_empty() {
            return Ok(());
        }
        let stage = stage.as_str();
        Err(TrainError::Missing(format!(
            "{stage} has minutes to train, and what was trained on its weights could not be \
             continued after that. Remove {} to train that anew as well, or give this training a \
             --work and a --model of its own; a stage that has its --minutes is left as it is",
            begun.join(", ")
        )))
    }

    /// The folder that a stage writes to.
    fn folder_of(&self, stage: StageName) -> ModelFolder {
        match stage {
            StageName::Clip => self.towers(),
            _ => self.model.clone(),
        }
    }

    /// What this training of a stage follows from.
    pub(super) fn identity(&self, stage: StageName) -> Result<Identity, TrainError> {
        let mut origin = Settings::new();
        let mut add = |name: &str, value: String| origin.insert(name.to_owned(), value);
        add("--preset", self.preset.as_str().to_owned());
        add("--seed", self.seed.to_string());
        add("artwork", digest(self.artwork()?.fingerprint()));
        for &input in inputs(stage) {
            add(input.folder(), self.model.hash_of(|c| c == input)?);
        }
        if matches!(stage, StageName::StageC | StageName::Vlm) {
            let towers = self.towers().hash_of(|_| true)?;
            add("pair of towers of clip", towers);
        }
        if matches!(stage, StageName::Vlm | StageName::Preference) {
            add("tokenizer", digest(read_if_there(&self.model.tokenizer())?));
            add("--prompts", self.pool_size().prompts.to_string());
            add("--seeds", self.pool_size().seeds.to_string());
        }
        match stage {
            StageName::StageB => {
                add("--freeze-encoder", self.freeze_encoder.to_string());
                if self.freeze_encoder {
                    let encoder = self.model.hash_of(|c| c == Component::LatentEncoder)?;
                    add("latent encoder", encoder);
                }
            }
            StageName::Preference => {
                add("--people", self.people_count().to_string());
                add("--objective", self.objective.as_str().to_owned());
                add("--beta", self.beta().to_string());
            }
            _ => {}
        }
        add("start of the weights (--init-from)", self.start(stage)?);
        let settings = self.settings(stage);
        let pace = [
            ("--batch", settings.batch.to_string()),
            ("--lr", settings.lr.to_string()),
        ];
        Ok(Identity {
            origin,
            pace: pace.map(|(name, value)| (name.to_owned(), value)).into(),
        })
    }

    /// What a stage's networks start from, as a word or a hash.
    fn start(&self, stage: StageName) -> Result<String, TrainError> {
        let Some(folder) = &self.init_from else {
            return Ok("seed".into());
        };
        let is_output = |component| outputs(stage).contains(&component);
        let mut start = folder.hash_of(is_output)?;
        if stage == StageName::Clip {
            start.push_str(&super::towers_in(folder).hash_of(is_output)?);
        }
        if matches!(stage, StageName::Clip | StageName::StageC | StageName::Vlm) {
            start.push_str(&digest(read_if_there(&folder.tokenizer())?));
        }
        Ok(digest(start))
    }

    /// The weights that a stage has written, as a hash.
    fn produced(&self, stage: StageName) -> Result<String, TrainError> {
        let is_output = |component| outputs(stage).contains(&component);
        Ok(self.folder_of(stage).hash_of(is_output)?)
    }

    /// Whether this very training has come to its end and its weights are in the model folder.
    pub(super) fn has_finished(
        &self,
        stage: StageName,
        options: &TrainOptions,
    ) -> Result<bool, TrainError> {
        let found = read_if_there(&options.dir.join(FINISHED_FILE))?;
        // Cut short by a kill it says nothing, and the stage ends at its checkpoint once more.
        let Ok(finished) = serde_json::from_slice::<Finished>(&found) else {
            return Ok(false);
        };
        Ok(finished.identity == options.identity
            && finished.minutes >= self.settings(stage).minutes
            && finished.weights == self.produced(stage)?)
    }

    /// Remembers that a stage has come to its end.
    pub(super) fn set_finished(
        &self,
        stage: StageName,
        options: &TrainOptions,
    ) -> Result<(), TrainError> {
        let path = options.dir.join(FINISHED_FILE);
        let finished = Finished {
            identity: options.identity.clone(),
            minutes: self.settings(stage).minutes,
            weights: self.produced(stage)?,
        };
        let text = serde_json::to_vec_pretty(&finished).map_err(|e| TrainError::State {
            path: path.clone(),
            reason: e.to_string(),
        })?;
        fs::write(&path, text).map_err(TrainError::io(path))
    }

    /// How many simulated people the preference stage trains on.
    pub(super) fn people_count(&self) -> usize {
        self.people.unwrap_or(preset::people(self.preset))
    }
}

/// A file's bytes, none if there is no such file.
fn read_if_there(path: &std::path::Path) -> Result<Vec<u8>, TrainError> {
    match fs::read(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        other => other.map_err(TrainError::io(path)),
    }
}
