//! The vision-language model: reads four choices of a person, describes the taste that they show,
//! and says which picture of a fifth pair the same person chooses.
//!
//! The people are simulated; all that is learned from are their choices. Every conversation has
//! its mirror in the batch, the same pairs with the opposite choices, so that nothing but the
//! choices can explain the answer.

mod conversations;
mod heads;
mod words;

use std::path::Path;

use image::RgbImage;
use tch::{Kind, Tensor};

use conversations::{Conversation, Gallery};
use heads::Heads;
use words::{Text, Words};

use super::pictures::{PictureBank, tensor_to_pictures, write_sheet};
use super::{Metrics, Stage, StepContext, TrainError};
use crate::data::artwork::Artwork;
use crate::data::captions::with_article;
use crate::data::split::Split;
use crate::data::tokenizer::Tokenizer;
use crate::diffusion::Noise;
use crate::evaluation::choice_pool::ChoicePool;
use crate::networks::llava_onevision::LlavaOnevision;
use crate::networks::qwen2::GenerationLimits;
use crate::preference::conversation::PAIRS;
use crate::weights::{Parameter, Params};

/// Conversations that the model is measured on, of artwork and of drawn pictures each.
const MEASURED: usize = 64;
/// One drawn prompt in this many is kept to measure on.
const MEASURED_PROMPTS: usize = 10;
/// Conversations on a sample sheet.
const SHOWN: usize = 8;
/// Share of the learning rate at which the vision tower learns: it can see already.
const TOWER_LR_SCALE: f64 = 0.3;

/// The network and data of [`Vlm`].
pub(super) struct VlmParts {
    /// The model.
    pub(super) model: LlavaOnevision,
    /// Its parameters.
    pub(super) params: Params,
    /// Its words.
    pub(super) tokenizer: Tokenizer,
    /// What the artwork shows.
    pub(super) artwork: Artwork,
    /// Artwork to train on.
    pub(super) train: PictureBank,
    /// Artwork to measure on, of other subjects.
    pub(super) held_out: PictureBank,
    /// Pictures as they will be chosen between: drawn by the model itself.
    pub(super) drawn: ChoicePool,
    /// Conversations a step, half of them mirrors.
    pub(super) batch: usize,
}

/// Trains the model.
pub(super) struct Vlm {
    model: LlavaOnevision,
    params: Params,
    head: Heads,
    words: Words,
    train: Gallery,
    /// Artwork, and drawn pictures.
    held_out: [Gallery; 2],
    batch: usize,
}

impl Vlm {
    /// A stage over these pictures; measures the axes of all of them once.
    ///
    /// # Errors
    /// The tokenizer lacks a token of the conversation.
    pub(super) fn new(parts: VlmParts) -> Result<Self, TrainError> {
        let VlmParts {
            model,
            params,
            tokenizer,
            artwork,
            train,
            held_out,
            drawn,
            batch,
        } = parts;
        let hidden = model.config().text_config.hidden_size;
        let channels = model.config().vision_config.hidden_size;
        let empty = || Gallery::empty(params.device());
        let is_measured = |prompt: usize| prompt % MEASURED_PROMPTS == MEASURED_PROMPTS - 1;
        let drawn = |measured: bool| {
            let prompts = drawn.prompts().iter().enumerate();
            prompts
                .filter(move |(prompt, _)| is_measured(*prompt) == measured)
                .map(|(number, prompt)| (prompt.clone(), drawn.pictures_of(number).to_vec()))
        };
        Ok(Self {
            train: empty()
                .with(by_subject(&artwork, &train))
                .with(drawn(false)),
            held_out: [
                empty().with(by_subject(&artwork, &held_out)),
                empty().with(drawn(true)),
            ],
            words: Words::new(tokenizer)?,
            head: Heads::new(&params, hidden, channels)?,
            model,
            params,
            batch,
        })
    }

    /// Vectors that stand for a picture in the prompt, the newline included.
    fn vectors(&self) -> usize {
        self.model.config().vision_config.patches_per_side().pow(2) as usize + 1
    }

    /// Looks at the pictures of these conversations, at each of them once; with `noise` half of
    /// them are seen from behind, which changes nobody's taste.
    fn look(
        &self,
        gallery: &Gallery,
        conversations: &[Conversation],
        noise: Option<&mut Noise>,
    ) -> Seen {
        let all = conversations.iter().flat_map(Conversation::all_pictures);
        let mut rows: Vec<usize> = all.collect();
        rows.sort_unstable();
        rows.dedup();
        let mut pixels = gallery.pixels(&rows).to_kind(Kind::Float) / 255.0;
        if let Some(noise) = noise {
            let turned: Vec<bool> = rows.iter().map(|_| noise.unit() < 0.5).collect();
            let turned = Tensor::from_slice(&turned).to_device(pixels.device());
            pixels = pixels
                .flip([3])
                .where_self(&turned.view([-1, 1, 1, 1]), &pixels);
        }
        let pixels = self.model.preprocess(&pixels).to_kind(self.params.kind());
        let features = self.model.vision_features(&pixels);
        Seen {
            rows,
            features: features.expect("pictures are resized to the tower's size"),
        }
    }

    /// The prompt's embeddings for token ids `[B, S]` with the pictures of these rows, in order.
    fn embed(&self, seen: &Seen, ids: &Tensor, rows: &[usize]) -> Tensor {
        let projected = self.model.project(&seen.features(rows));
        let features = self.model.with_newline(&projected).flatten(0, 1);
        self.model
            .embed(ids, &[features])
            .expect("every picture has its places in the prompt")
    }

    /// How sure the model is, from these states `[B, hidden]`, of the choice that was made in
    /// each conversation's fifth pair: log odds, `[B]` f32.
    fn log_odds(&self, seen: &Seen, states: &Tensor, conversations: &[Conversation]) -> Tensor {
        let side = |of: fn(&Conversation) -> usize| {
            let rows: Vec<usize> = conversations.iter().map(of).collect();
            self.head.picture(&seen.features(&rows))
        };
        let difference = side(|c| c.query.0) - side(|c| c.query.1);
        (self.head.person(states) * difference).sum_dim_intlist(
            [-1i64].as_slice(),
            false,
            Kind::Float,
        )
    }

    /// Measures the model on new people's conversations in this gallery: the share of fifth
    /// choices foretold, the share of descriptions with the right first liking, and the share of
    /// the leads' variance that the states of generations leave unexplained.
    ///
    /// What is said of the first few goes to `sheet` with `.txt` behind it, their pictures with
    /// `.png`: a row a conversation, its pairs and the fifth choice, the preferred picture first.
    fn measure(&self, gallery: &Gallery, sheet: &Path) -> Result<[f64; 3], TrainError> {
        let mut noise = Noise::new(7);
        let conversations: Vec<Conversation> = (0..MEASURED)
            .map(|_| gallery.conversation(Split::HeldOut, &mut noise))
            .collect();
        let seen = self.look(gallery, &conversations, None);
        let texts: Vec<Text> = conversations
            .iter()
            .map(|c| self.words.text(c, gallery, self.vectors()))
            .collect();
        let longest = texts.iter().map(|text| text.prompt).max().unwrap_or(0);
        let filled: Vec<i64> = texts
            .iter()
            .flat_map(|text| self.words.fill_before(&text.ids[..text.prompt], longest))
            .collect();
        let ids = Tensor::from_slice(&filled)
            .view([-1, longest as i64])
            .to_device(self.params.device());
        let rows: Vec<usize> = conversations
            .iter()
            .flat_map(Conversation::pictures)
            .collect();
        let inputs = self.embed(&seen, &ids, &rows);
        let limits = GenerationLimits {
            max_new_tokens: 48,
            stop: vec![self.words.turn_end],
            pad: self.words.pad,
            repetition_penalty: 1.0,
        };
        let mask = ids.not_equal(self.words.pad);
        let answer = self
            .model
            .language_model()
            .generate(&inputs, &ids, &mask, &limits);
        let states = answer.hidden_states.select(0, -1);
        let right = self.log_odds(&seen, &states, &conversations).gt(0.0);
        let leads: Vec<f32> = conversations
            .iter()
            .flat_map(|conversation| conversation.lead(gallery, PAIRS))
            .collect();
        let power = leads.iter().map(|lead| lead * lead).sum::<f32>() / leads.len() as f32;
        let error = self.head.lead_loss(&states, &leads).double_value(&[]);

        let mut same_first = 0;
        let mut lines = String::new();
        for (i, conversation) in conversations.iter().enumerate() {
            let generated = Vec::<i64>::try_from(&answer.tokens.get(i as i64)).unwrap_or_default();
            let said = self.words.tokenizer.decode(&generated).unwrap_or_default();
            let meant = conversation.description(gallery);
            same_first += usize::from(first_liking(&said) == first_liking(&meant));
            if i < SHOWN {
                let said = said.trim();
                lines.push_str(&format!("said \"{said}\", the choices show \"{meant}\"\n"));
            }
        }
        let path = sheet.with_extension("txt");
        std::fs::write(&path, lines).map_err(TrainError::io(path))?;
        let shown = conversations.iter().take(SHOWN);
        let rows: Vec<usize> = shown.flat_map(Conversation::all_pictures).collect();
        let pictures = gallery.pixels(&rows).to_kind(Kind::Float) / 255.0;
        let columns = 2 * (PAIRS as u32 + 1);
        write_sheet(
            &sheet.with_extension("png"),
            &tensor_to_pictures(&pictures),
            columns,
        )?;
        Ok([
            right
                .to_kind(Kind::Double)
                .mean(Kind::Double)
                .double_value(&[]),
            same_first as f64 / MEASURED as f64,
            error / f64::from(power),
        ])
    }
}

/// What the vision tower saw of some rows of a gallery.
struct Seen {
    /// Ascending.
    rows: Vec<usize>,
    /// `[rows, positions, channels]`, before the projector.
    features: Tensor,
}

impl Seen {
    /// `[rows.len(), positions, channels]`.
    fn features(&self, rows: &[usize]) -> Tensor {
        let place = |row: &usize| self.rows.binary_search(row).expect("a row looked at") as i64;
        let index: Vec<i64> = rows.iter().map(place).collect();
        let index = Tensor::from_slice(&index).to_device(self.features.device());
        self.features.index_select(0, &index)
    }
}

/// The pictures of each subject, under its name.
fn by_subject<'a>(
    artwork: &'a Artwork,
    bank: &'a PictureBank,
) -> impl Iterator<Item = (String, Vec<RgbImage>)> + 'a {
    let mut rows = vec![Vec::new(); artwork.subjects().len()];
    for row in 0..bank.len() {
        rows[artwork.picture(bank.row(row).picture).subject].push(row);
    }
    let named = artwork.subjects().iter().zip(rows);
    named
        .filter(|(_, rows)| !rows.is_empty())
        .map(|(subject, rows)| {
            let pictures = tensor_to_pictures(&bank.batch(&rows, Kind::Float));
            (with_article(&subject.label), pictures)
        })
}

impl Stage for Vlm {
    fn name(&self) -> &'static str {
        "vlm"
    }

    fn parameters(&self) -> Vec<Parameter> {
        let mut all = self.params.taken_as("vlm");
        all.extend(self.head.params.taken_as("heads"));
        all
    }

    fn lr_scale(&self, name: &str) -> f64 {
        match name.starts_with("vlm/vision_tower.") {
            true => TOWER_LR_SCALE,
            false => 1.0,
        }
    }

    fn loss(&mut self, context: &mut StepContext) -> (Tensor, Vec<(&'static str, Tensor)>) {
        let noise = &mut context.noise;
        let mut conversations = Vec::with_capacity(self.batch);
        while conversations.len() < self.batch {
            let conversation = self.train.conversation(Split::Train, noise);
            let mirror = conversation.mirrored();
            conversations.push(conversation);
            conversations.push(mirror);
        }
        let device = self.params.device();
        let seen = self.look(&self.train, &conversations, Some(noise));
        let texts: Vec<Text> = conversations
            .iter()
            .map(|c| self.words.text(c, &self.train, self.vectors()))
            .collect();
        let longest = texts.iter().map(|text| text.ids.len()).max().unwrap_or(0);
        let rows: Vec<usize> = conversations
            .iter()
            .flat_map(Conversation::pictures)
            .collect();
        // Attention is causal, so filler at the end needs no mask.
        let filled: Vec<i64> = texts
            .iter()
            .flat_map(|t| self.words.fill_after(&t.ids, longest))
            .collect();
        let ids = Tensor::from_slice(&filled)
            .view([-1, longest as i64])
            .to_device(device);
        let inputs = self.embed(&seen, &ids, &rows);
        let states = self
            .model
            .language_model()
            .forward(&inputs, None, None, None);
        let last = states[states.len() - 1].flatten(0, 1);
        let at = |positions: &[i64]| {
            last.index_select(0, &Tensor::from_slice(positions).to_device(device))
        };

        let offset = |i: usize, position: usize| (i * longest + position) as i64;
        let mut before = Vec::new();
        let mut next = Vec::new();
        for (i, text) in texts.iter().enumerate() {
            for position in text.prompt..text.ids.len() {
                before.push(offset(i, position - 1));
                next.push(text.ids[position]);
            }
        }
        let logits = self
            .model
            .language_model()
            .logits(&at(&before))
            .to_kind(Kind::Float);
        let next = Tensor::from_slice(&next).to_device(device);
        let description = logits.cross_entropy_for_logits(&next);

        let ends = |position: fn(&Text) -> usize| -> Vec<i64> {
            texts
                .iter()
                .enumerate()
                .map(|(i, text)| offset(i, position(text)))
                .collect()
        };
        let odds = |positions: Vec<i64>| self.log_odds(&seen, &at(&positions), &conversations);
        let from_prompt = odds(ends(|text| text.prompt - 1));
        // Where the last step of a generation is: the token before the turn's end.
        let from_answer = odds(ends(|text| text.ids.len() - 2));
        let loss_of = |odds: &Tensor| (-odds).softplus().mean(Kind::Float);
        let choice = (loss_of(&from_prompt) + loss_of(&from_answer)) / 2.0;
        let right = from_answer.gt(0.0).to_kind(Kind::Float).mean(Kind::Float);
        // The axes that each picture has, told by the token after it, and how far the preferred
        // pictures are ahead on them, told after each pair and where the answer begins and ends:
        // dense signals for what a description says in few words.
        let after_pictures: Vec<i64> = texts
            .iter()
            .enumerate()
            .flat_map(|(i, text)| text.after_pictures.iter().map(move |&p| offset(i, p)))
            .collect();
        let axes: Vec<f32> = rows
            .iter()
            .flat_map(|&row| self.train.axes(row).told())
            .collect();
        let axes = self.head.axes_loss(&at(&after_pictures), &axes);
        let lead_after = |pairs: usize, positions: Vec<i64>| {
            let lead = |conversation: &Conversation| conversation.lead(&self.train, pairs);
            let leads: Vec<f32> = conversations.iter().flat_map(lead).collect();
            self.head.lead_loss(&at(&positions), &leads)
        };
        let mut leads = vec![
            lead_after(PAIRS, ends(|text| text.prompt - 1)),
            lead_after(PAIRS, ends(|text| text.ids.len() - 2)),
        ];
        for pair in 0..PAIRS {
            let second = after_pictures.iter().skip(2 * pair + 1).step_by(2 * PAIRS);
            leads.push(lead_after(pair + 1, second.copied().collect()));
        }
        let lead = (&leads[0] + &leads[1]) / 2.0;
        let leads = Tensor::stack(&leads, 0).mean(Kind::Float);
        let loss = &description + &choice + &axes + 2.0 * &leads;
        (
            loss,
            vec![
                ("description", description),
                ("choice", choice),
                ("right", right),
                ("axes", axes),
                ("lead", lead),
            ],
        )
    }

    fn evaluate(&mut self, dir: &Path, step: u64) -> Result<Metrics, TrainError> {
        const NAMES: [[&str; 3]; 2] = [
            ["choices_right", "same_first_liking", "lead_unexplained"],
            [
                "choices_right_drawn",
                "same_first_liking_drawn",
                "lead_unexplained_drawn",
            ],
        ];
        let mut metrics = Metrics::new();
        let measured = self.held_out.iter().zip(["artwork", "drawn"]).zip(NAMES);
        for ((gallery, of), names) in measured.filter(|((gallery, _), _)| !gallery.is_empty()) {
            let sheet = dir.join(format!("sheet-{step:06}-{of}"));
            metrics.extend(names.into_iter().zip(self.measure(gallery, &sheet)?));
        }
        Ok(metrics)
    }
}

/// What a description says before its first turn: the strongest liking.
fn first_liking(description: &str) -> &str {
    let description = description.trim();
    let end = [" and ", ";"]
        .iter()
        .filter_map(|part| description.find(part))
        .min();
    &description[..end.unwrap_or(description.len())]
}
