//! The stage of preference attention.

use rand::seq::SliceRandom;

use super::{Outcome, Recipe};
use crate::data::artwork::Artwork;
use crate::data::captions::with_article;
use crate::data::split::Split;
use crate::diffusion::Noise;
use crate::networks::latent_encoder::LatentEncoder;
use crate::networks::preference_attention::{PreferenceAttention, PreferenceAttentionConfig};
use crate::pipeline::Pipeline;
use crate::preference::embedding::PreferenceEmbedder;
use crate::training::preference::{Preference, PreferenceParts};
use crate::training::preference_people::read_choices;
use crate::training::preference_pool::{PicturePool, PoolSize};
use crate::training::preset::{self, StageName};
use crate::training::{TrainError, TrainOptions};
use crate::weights::Component;

/// Most people that the preference stage is measured on.
const MEASURED_PEOPLE: usize = 16;

impl Recipe {
    pub(super) fn preference(&self, options: &TrainOptions) -> Result<Outcome, TrainError> {
        let settings = self.settings(StageName::Preference);
        let card = self.model.card()?;
        let mut pipeline = Pipeline::load_base(&self.model, &card, self.kind, self.device)?;
        let embedder = PreferenceEmbedder::load(&self.model, self.kind, self.device)?;
        let artwork = self.artwork()?;
        let people_count = self.people_count();
        let Some(drawn) = self.drawn(&artwork, &pipeline)? else {
            return Ok(Outcome::Stopped);
        };
        let (encoder, _) = self.trained(
            Component::LatentEncoder,
            StageName::StageB,
            LatentEncoder::new,
        )?;
        let mut noise = Noise::new(self.seed);
        let place = (self.kind, self.device);
        let size = self.pool_size();
        let real = PicturePool::of_artwork(&artwork, &encoder, size, &mut noise, place)?;
        let reader = self.model.hash_of(|c| c == Component::Vlm)?;
        let read = |split, count, name: &str| {
            read_choices(
                &drawn.choices,
                (&embedder, &reader),
                (self.seed, split),
                count,
                &options.dir.join("people").join(name),
                &self.stop,
            )
        };
        let Some(people) = read(Split::Train, people_count, "train")? else {
            return Ok(Outcome::Stopped);
        };
        let measured = MEASURED_PEOPLE.min(people_count);
        let Some(held_out) = read(Split::HeldOut, measured, "held-out")? else {
            return Ok(Outcome::Stopped);
        };
        let pool = drawn.join(real);
        let hidden = people[0].hidden.size();
        let config = PreferenceAttentionConfig {
            embedding_layers: hidden[0],
            embedding_dim: hidden[1],
            token_dim: preset::PREFERENCE_TOKEN_DIM,
            trained_for: None,
        };
        let blocks = pipeline.prior.attention_blocks().to_vec();
        let build = |p: &_, c: _| PreferenceAttention::new(p, c, &blocks);
        let component = Component::PreferenceAdapter;
        let (adapter, adapter_params) = self.network(component, config, build)?;
        let config = adapter.config().clone();
        pipeline.adapter = Some(adapter);
        let mut stage = Preference::new(PreferenceParts {
            pipeline,
            adapter_params,
            pool,
            people,
            held_out,
            objective: self.objective,
            beta: self.beta(),
            batch: settings.batch,
            measured_prompts: 8,
        })?;
        if self.start_of(component).is_none() {
            stage.whiten_tokens();
        }
        self.finish(&mut stage, options, |weights| {
            self.clear_superseded(StageName::Preference)?;
            self.export(component, &config, &weights)
        })
    }

    pub(super) fn beta(&self) -> f64 {
        self.beta.unwrap_or(preset::DPO_BETA)
    }

    pub(super) fn pool_size(&self) -> PoolSize {
        let size = preset::pool(self.preset);
        PoolSize {
            prompts: self.prompts.unwrap_or(size.prompts),
            seeds: self.seeds.unwrap_or(size.seeds),
            ..size
        }
    }

    /// What this pipeline draws of training subjects, several pictures of each. They are drawn
    /// once for all stages and continuations, as long as it has the same weights. `None` when
    /// the run was stopped meanwhile.
    pub(super) fn drawn(
        &self,
        artwork: &Artwork,
        pipeline: &Pipeline,
    ) -> Result<Option<PicturePool>, TrainError> {
        let size = self.pool_size();
        let prompts = self.prompts(artwork, size.prompts);
        let dir = self.work.join("drawn");
        let weights = self.model.hash_of(|c| Component::DRAWING.contains(&c))?;
        PicturePool::draw(
            (pipeline, weights.as_str()),
            prompts,
            size,
            &dir,
            &self.stop,
        )
    }

    /// Training subjects as one asks for them, each at most once, in an order of the seed's.
    fn prompts(&self, artwork: &Artwork, count: usize) -> Vec<String> {
        let mut labels: Vec<String> = artwork
            .subjects()
            .iter()
            .filter(|subject| subject.split == Split::Train)
            .map(|subject| with_article(&subject.label))
            .collect();
        labels.sort();
        labels.dedup();
        labels.shuffle(Noise::new(self.seed).rng());
        labels.truncate(count);
        labels
    }
}
