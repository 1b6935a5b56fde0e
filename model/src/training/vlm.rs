//! The vision-language model: reads four choices of a person, describes the taste that they show,
//! and says which picture of a fifth pair the same person chooses.
//!
//! The people are simulated; all that is learned from are their choices. Every conversation has
//! its mirror in the batch, the same pairs with the opposite choices, so that nothing but the
//! choices can explain the answer.

use std::path::Path;

use tch::{Device, Kind, Tensor};

use super::pictures::{PictureBank, tensor_to_pictures};
use super::{Metrics, Stage, StepContext, TrainError};
use crate::data::DataError;
use crate::data::artwork::Artwork;
use crate::data::captions::with_article;
use crate::data::split::Split;
use crate::data::tokenizer::{IMAGE, PAD, TURN_END, Tokenizer};
use crate::diffusion::Noise;
use crate::evaluation::axes::{Axis, AxisValues, measure};
use crate::evaluation::population::{Choice, Person};
use crate::evaluation::taste;
use crate::networks::layers::Linear;
use crate::networks::llava_onevision::LlavaOnevision;
use crate::networks::qwen2::GenerationLimits;
use crate::preference::conversation::{PAIRS, expand_images, prompt};
use crate::weights::{Parameter, Params, WeightsError};

/// Seed of the population, and how many people it has.
const POPULATION: u64 = 1;
const PEOPLE: usize = 20_000;
/// Conversations that the model is measured on.
const MEASURED: usize = 64;
/// Width of the space in which a person's state and a picture's features meet.
const CHOICE_DIM: i64 = 64;

/// The network and data of [`Vlm`].
pub(super) struct VlmParts {
    /// The model; its vision tower stays as it is.
    pub(super) model: LlavaOnevision,
    /// Its parameters.
    pub(super) params: Params,
    /// Its words.
    pub(super) tokenizer: Tokenizer,
    /// What the pictures show.
    pub(super) artwork: Artwork,
    /// Pictures to train on.
    pub(super) train: PictureBank,
    /// Pictures to measure on, of other subjects.
    pub(super) held_out: PictureBank,
    /// Conversations a step, half of them mirrors.
    pub(super) batch: usize,
}

/// Trains the projector and the language model.
pub(super) struct Vlm {
    model: LlavaOnevision,
    params: Params,
    head: Heads,
    words: Words,
    train: Gallery,
    held_out: Gallery,
    batch: usize,
}

impl Vlm {
    /// A stage over these pictures; looks at all of them once.
    ///
    /// # Errors
    /// The tokenizer lacks a token of the conversation, or the vision tower refuses the pictures.
    pub(super) fn new(parts: VlmParts) -> Result<Self, TrainError> {
        let VlmParts {
            model,
            params,
            tokenizer,
            artwork,
            train,
            held_out,
            batch,
        } = parts;
        let hidden = model.config().text_config.hidden_size;
        let channels = model.config().vision_config.hidden_size;
        let gallery = |bank: &PictureBank| Gallery::new(&model, &params, &artwork, bank);
        Ok(Self {
            train: gallery(&train)?,
            held_out: gallery(&held_out)?,
            words: Words::new(tokenizer)?,
            head: Heads::new(&params, hidden, channels)?,
            model,
            params,
            batch,
        })
    }

    /// The prompt's embeddings for token ids `[B, S]` with the pictures of these rows, in order.
    fn embed(&self, gallery: &Gallery, ids: &Tensor, rows: &[usize]) -> Tensor {
        let projected = self.model.project(&gallery.features(rows));
        let features = self.model.with_newline(&projected).flatten(0, 1);
        self.model
            .embed(ids, &[features])
            .expect("every picture has its places in the prompt")
    }

    /// How sure the model is, from these states `[B, hidden]`, of the choice that was made in
    /// each conversation's fifth pair: log odds, `[B]` f32.
    fn log_odds(
        &self,
        gallery: &Gallery,
        states: &Tensor,
        conversations: &[Conversation],
    ) -> Tensor {
        let side = |of: fn(&Conversation) -> usize| {
            let rows: Vec<usize> = conversations.iter().map(of).collect();
            self.head.picture(&gallery.features(&rows))
        };
        let difference = side(|c| c.query.0) - side(|c| c.query.1);
        (self.head.person(states) * difference).sum_dim_intlist(
            [-1i64].as_slice(),
            false,
            Kind::Float,
        )
    }
}

impl Stage for Vlm {
    fn name(&self) -> &'static str {
        "vlm"
    }

    fn parameters(&self) -> Vec<Parameter> {
        let mut all = self.params.taken_as("vlm");
        all.retain(|parameter| !parameter.name.starts_with("vlm/vision_tower."));
        all.extend(self.head.params.taken_as("heads"));
        all
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
        let vectors = self.train.vectors();
        let texts: Vec<Text> = conversations
            .iter()
            .map(|c| self.words.text(c, &self.train, vectors))
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
        let inputs = self.embed(&self.train, &ids, &rows);
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
        let odds =
            |positions: Vec<i64>| self.log_odds(&self.train, &at(&positions), &conversations);
        let from_prompt = odds(ends(|text| text.prompt - 1));
        // Where the last step of a generation is: the token before the turn's end.
        let from_answer = odds(ends(|text| text.ids.len() - 2));
        let loss_of = |odds: &Tensor| (-odds).softplus().mean(Kind::Float);
        let choice = (loss_of(&from_prompt) + loss_of(&from_answer)) / 2.0;
        let right = from_answer.gt(0.0).to_kind(Kind::Float).mean(Kind::Float);
        // The axes that each picture has, told by the token after it, and how far the preferred
        // pictures are ahead on them: dense signals for what a description says in few words.
        let after_pictures: Vec<i64> = texts
            .iter()
            .enumerate()
            .flat_map(|(i, text)| text.after_pictures.iter().map(move |&p| offset(i, p)))
            .collect();
        let axes: Vec<f32> = rows
            .iter()
            .flat_map(|&row| self.train.axes[row].0)
            .collect();
        let seen = self.head.axes_loss(&at(&after_pictures), &axes);
        let leads: Vec<f32> = conversations
            .iter()
            .flat_map(|conversation| conversation.lead(&self.train))
            .collect();
        let lead = (self
            .head
            .lead_loss(&at(&ends(|text| text.prompt - 1)), &leads)
            + self
                .head
                .lead_loss(&at(&ends(|text| text.ids.len() - 2)), &leads))
            / 2.0;
        let loss = &description + &choice + &seen + &lead;
        (
            loss,
            vec![
                ("description", description),
                ("choice", choice),
                ("right", right),
                ("seen", seen),
                ("lead", lead),
            ],
        )
    }

    fn evaluate(&mut self, _dir: &Path, _step: u64) -> Result<Metrics, TrainError> {
        let mut noise = Noise::new(7);
        let conversations: Vec<Conversation> = (0..MEASURED)
            .map(|_| self.held_out.conversation(Split::HeldOut, &mut noise))
            .collect();
        let vectors = self.held_out.vectors();
        let texts: Vec<Text> = conversations
            .iter()
            .map(|c| self.words.text(c, &self.held_out, vectors))
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
        let inputs = self.embed(&self.held_out, &ids, &rows);
        let limits = GenerationLimits {
            max_new_tokens: 48,
            stop: vec![self.words.turn_end],
            pad: self.words.pad,
        };
        let mask = ids.not_equal(self.words.pad);
        let answer = self
            .model
            .language_model()
            .generate(&inputs, &mask, &limits);
        let odds = self.log_odds(
            &self.held_out,
            &answer.hidden_states.select(0, -1),
            &conversations,
        );
        let right = odds
            .gt(0.0)
            .to_kind(Kind::Double)
            .mean(Kind::Double)
            .double_value(&[]);

        let mut same_first = 0;
        for (i, conversation) in conversations.iter().enumerate() {
            let generated = Vec::<i64>::try_from(&answer.tokens.get(i as i64)).unwrap_or_default();
            let said = self.words.tokenizer.decode(&generated).unwrap_or_default();
            let meant = conversation.description(&self.held_out);
            same_first += usize::from(first_liking(&said) == first_liking(&meant));
            if i < 3 {
                eprintln!(
                    "\rvlm: said \"{}\", the choices show \"{meant}\"",
                    said.trim()
                );
            }
        }
        Ok(vec![
            ("choices right, new people and subjects", right),
            ("same first liking", same_first as f64 / MEASURED as f64),
        ])
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

/// The conversation in tokens.
struct Words {
    tokenizer: Tokenizer,
    image: i64,
    pad: i64,
    turn_end: i64,
}

/// A prompt and its answer as token ids.
struct Text {
    ids: Vec<i64>,
    /// Length of the prompt.
    prompt: usize,
    /// Where the token after each picture is.
    after_pictures: Vec<usize>,
}

impl Words {
    fn new(tokenizer: Tokenizer) -> Result<Self, TrainError> {
        let id = |token: &str| {
            tokenizer.id(token).ok_or_else(|| {
                TrainError::Missing(format!(
                    "the tokenizer lacks {token}: build the data again with predilect data build"
                ))
            })
        };
        Ok(Self {
            image: id(IMAGE)?,
            pad: id(PAD)?,
            turn_end: id(TURN_END)?,
            tokenizer,
        })
    }

    fn encode(&self, text: &str) -> Vec<i64> {
        let ids: Result<Vec<i64>, DataError> = self.tokenizer.encode(text, false);
        ids.expect("byte-level tokens exist for every text")
    }

    fn text(&self, conversation: &Conversation, gallery: &Gallery, vectors: usize) -> Text {
        let captions = conversation
            .pairs
            .iter()
            .map(|&(row, _)| gallery.captions[row].as_str());
        let mut ids = expand_images(&self.encode(&prompt(captions)), self.image, vectors);
        let prompt = ids.len();
        ids.extend(self.encode(&conversation.description(gallery)));
        ids.push(self.turn_end);
        let after = |i: &usize| ids[i - 1] == self.image && ids[*i] != self.image;
        let after_pictures = (1..prompt).filter(after).collect();
        Text {
            ids,
            prompt,
            after_pictures,
        }
    }

    fn fill_after(&self, ids: &[i64], length: usize) -> Vec<i64> {
        let filler = std::iter::repeat_n(self.pad, length - ids.len());
        ids.iter().copied().chain(filler).collect()
    }

    fn fill_before(&self, ids: &[i64], length: usize) -> Vec<i64> {
        let filler = std::iter::repeat_n(self.pad, length - ids.len());
        filler.chain(ids.iter().copied()).collect()
    }
}

/// Choices of one person: rows of a [`Gallery`], the preferred one first.
struct Conversation {
    pairs: [(usize, usize); PAIRS],
    query: (usize, usize),
}

impl Conversation {
    /// Somebody who chooses the other picture every time.
    fn mirrored(&self) -> Self {
        let swap = |(a, b): (usize, usize)| (b, a);
        Self {
            pairs: self.pairs.map(swap),
            query: swap(self.query),
        }
    }

    /// The rows of the prompt's pictures, in order.
    fn pictures(&self) -> impl Iterator<Item = usize> {
        self.pairs
            .into_iter()
            .flat_map(|(preferred, rejected)| [preferred, rejected])
    }

    /// How far the preferred pictures are ahead of the others on each axis, on the mean.
    fn lead(&self, gallery: &Gallery) -> [f32; Axis::ALL.len()] {
        Axis::ALL.map(|axis| {
            let ahead = |&(a, b): &(usize, usize)| gallery.axes[a][axis] - gallery.axes[b][axis];
            self.pairs.iter().map(ahead).sum::<f32>() / PAIRS as f32
        })
    }

    fn description(&self, gallery: &Gallery) -> String {
        let choices = self.pairs.map(|(a, b)| (gallery.axes[a], gallery.axes[b]));
        taste::describe(&choices)
    }
}

/// Pictures as people and the model see them.
struct Gallery {
    /// Vision features `[rows, positions, channels]`, before the projector.
    features: Tensor,
    axes: Vec<AxisValues>,
    captions: Vec<String>,
    /// Rows of each subject that has at least two.
    by_subject: Vec<Vec<usize>>,
}

impl Gallery {
    fn new(
        model: &LlavaOnevision,
        params: &Params,
        artwork: &Artwork,
        bank: &PictureBank,
    ) -> Result<Self, TrainError> {
        let rows: Vec<usize> = (0..bank.len()).collect();
        let mut features = Vec::new();
        let mut axes = Vec::with_capacity(rows.len());
        for rows in rows.chunks(64) {
            let pictures = bank.batch(rows, Kind::Float);
            let seen = model.preprocess(&pictures).to_kind(params.kind());
            let seen = tch::no_grad(|| model.vision_features(&seen));
            features.push(seen.expect("pictures are resized to the tower's size"));
            let pictures = tensor_to_pictures(&pictures.to_device(Device::Cpu));
            axes.extend(pictures.iter().map(|picture| measure(picture).normalised()));
        }
        let mut by_subject = vec![Vec::new(); artwork.subjects().len()];
        for &row in &rows {
            by_subject[artwork.picture(bank.row(row).picture).subject].push(row);
        }
        by_subject.retain(|rows| rows.len() >= 2);
        let caption = |&row: &usize| with_article(&artwork.subject_of(bank.row(row).picture).label);
        Ok(Self {
            features: Tensor::cat(&features, 0),
            axes,
            captions: rows.iter().map(caption).collect(),
            by_subject,
        })
    }

    /// `[rows.len(), positions, channels]`.
    fn features(&self, rows: &[usize]) -> Tensor {
        let index: Vec<i64> = rows.iter().map(|&row| row as i64).collect();
        let index = Tensor::from_slice(&index).to_device(self.features.device());
        self.features.index_select(0, &index)
    }

    /// How many vectors stand for a picture, the newline included.
    fn vectors(&self) -> usize {
        self.features.size()[1] as usize + 1
    }

    /// Somebody of this side of the population makes five choices.
    fn conversation(&self, split: Split, noise: &mut Noise) -> Conversation {
        let person = loop {
            let person = Person::sample(POPULATION, noise.below(PEOPLE) as u64);
            if person.split() == split {
                break person;
            }
        };
        let mut choice = || loop {
            let rows = &self.by_subject[noise.below(self.by_subject.len())];
            let left = rows[noise.below(rows.len())];
            let right = rows[noise.below(rows.len())];
            if left == right {
                continue;
            }
            match person.choose_measured(&self.axes[left], &self.axes[right], noise.rng()) {
                Choice::Left => break (left, right),
                Choice::Right => break (right, left),
                Choice::Tie => {}
            }
        };
        Conversation {
            pairs: std::array::from_fn(|_| choice()),
            query: choice(),
        }
    }
}

/// What is read off the states beside the next token: which pictures the person likes, and the
/// axes of what was shown. Trained beside the model to bring the taste into its states; no part
/// of it.
struct Heads {
    person: Linear,
    picture: [Linear; 2],
    axes: Linear,
    lead: Linear,
    params: Params,
}

impl Heads {
    fn new(model: &Params, hidden: i64, picture_channels: i64) -> Result<Self, WeightsError> {
        let params = Params::random(1, model.kind(), model.device());
        let inner = 2 * CHOICE_DIM;
        let axes = Axis::ALL.len() as i64;
        Ok(Self {
            person: Linear::new(&params.sub("person"), hidden, CHOICE_DIM)?,
            picture: [
                Linear::new(&params.sub("picture.0"), picture_channels, inner)?,
                Linear::new(&params.sub("picture.1"), inner, CHOICE_DIM)?,
            ],
            axes: Linear::new(&params.sub("axes"), hidden, axes)?,
            lead: Linear::new(&params.sub("lead"), hidden, axes)?,
            params,
        })
    }

    /// States `[B, hidden]` to `[B, CHOICE_DIM]` f32.
    fn person(&self, states: &Tensor) -> Tensor {
        self.person.forward(states).to_kind(Kind::Float)
    }

    /// Vision features `[B, positions, channels]` to `[B, CHOICE_DIM]` f32.
    fn picture(&self, features: &Tensor) -> Tensor {
        let mean = features.mean_dim([1i64].as_slice(), false, features.kind());
        let hidden = self.picture[0].forward(&mean).gelu("none");
        self.picture[1].forward(&hidden).to_kind(Kind::Float)
    }

    /// Mean squared error of the axes of the pictures before `states` (`[N, hidden]`); `axes`
    /// are the measured ones, row by row.
    fn axes_loss(&self, states: &Tensor, axes: &[f32]) -> Tensor {
        mean_squared(&self.axes.forward(states), axes)
    }

    /// Mean squared error of how far the preferred pictures are ahead on each axis.
    fn lead_loss(&self, states: &Tensor, leads: &[f32]) -> Tensor {
        mean_squared(&self.lead.forward(states), leads)
    }
}

fn mean_squared(answered: &Tensor, wanted: &[f32]) -> Tensor {
    let wanted = Tensor::from_slice(wanted).view(answered.size().as_slice());
    let wanted = wanted.to_device(answered.device());
    answered
        .to_kind(Kind::Float)
        .mse_loss(&wanted, tch::Reduction::Mean)
}
