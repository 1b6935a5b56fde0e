//! What each component reads and answers.

use serde::Deserialize;
use tch::Tensor;

use super::inputs::Dim::{Any, Is};
use super::inputs::{Inputs, missing};
use super::{Run, RunError, RunnableComponent};
use crate::diffusion::{DdpmWuerstchenConfig, DdpmWuerstchenScheduler};
use crate::networks::clip::{ClipTextModelWithProjection, ClipVisionModelWithProjection};
use crate::networks::efficientnet::EfficientNetEncoder;
use crate::networks::llava_onevision::{LlavaOnevision, Pictures};
use crate::networks::paella_vq::PaellaVq;
use crate::networks::stable_cascade_unet::{StableCascadeInput, StableCascadeUNet};
use crate::weights::{WeightsError, read_config};

type Outputs = Vec<(&'static str, Tensor)>;

pub(super) fn run(run: &Run, inputs: &Inputs) -> Result<Outputs, RunError> {
    match run.component {
        RunnableComponent::StageC | RunnableComponent::StageB => unet(run, inputs),
        RunnableComponent::StageAEncode => encode(run, inputs),
        RunnableComponent::StageADecode => decode(run, inputs),
        RunnableComponent::TextEncoder => text_encoder(run, inputs),
        RunnableComponent::ImageEncoder => image_encoder(run, inputs),
        RunnableComponent::Effnet => effnet(run, inputs),
        RunnableComponent::Vlm => vlm(run, inputs),
        RunnableComponent::Scheduler => scheduler(run, inputs),
    }
}

fn unet(run: &Run, inputs: &Inputs) -> Result<Outputs, RunError> {
    let network = run.network(StableCascadeUNet::new)?;
    let config = network.config();
    let (height, width) = (Any("height"), Any("width"));
    let sample = inputs.float(
        "sample",
        &[Any("batch"), Is(config.in_channels), height, width],
    )?;
    let batch = Is(sample.size()[0]);
    let ratio = inputs.timesteps("timestep_ratio", &[batch])?;

    // The reference takes a pooled condition with or without a dimension of tokens.
    let pooled = |name: &'static str, channels: i64| {
        let shapes: [&[_]; 2] = [
            &[batch, Any("tokens"), Is(channels)],
            &[batch, Is(channels)],
        ];
        let found = inputs.any_of(name, &shapes)?;
        Ok::<_, RunError>(found.map(|tensor| tensor.to_kind(run.kind)))
    };
    let channels = config.clip_text_pooled_in_channels;
    let clip_text_pooled = pooled("clip_text_pooled", channels)?
        .ok_or_else(|| missing("clip_text_pooled", &[batch, Any("tokens"), Is(channels)]))?;
    // Conditions that the configuration has no mapper for are left to the list of unread inputs.
    let clip_img = match config.clip_image_in_channels {
        Some(channels) => pooled("clip_img", channels)?,
        None => None,
    };
    let clip_text = match config.clip_text_in_channels {
        Some(channels) => inputs.optional("clip_text", &[batch, Any("tokens"), Is(channels)])?,
        None => None,
    };
    let spatial = |name: &'static str, channels: Option<i64>| match channels {
        Some(channels) => inputs.optional(name, &[batch, Is(channels), height, width]),
        None => Ok(None),
    };
    let effnet = spatial("effnet", config.effnet_in_channels)?;
    let pixels = spatial("pixels", config.pixel_mapper_in_channels)?;
    let mut timestep_conditions = Vec::new();
    for name in ["sca", "crp"] {
        if let Some(value) = inputs.any_of(name, &[&[batch]])? {
            timestep_conditions.push((name, value));
        }
    }
    let input = StableCascadeInput {
        timestep_ratio: Some(&ratio),
        clip_text_pooled: Some(&clip_text_pooled),
        clip_text: clip_text.as_ref(),
        clip_img: clip_img.as_ref(),
        effnet: effnet.as_ref(),
        pixels: pixels.as_ref(),
        timestep_conditions: timestep_conditions
            .iter()
            .map(|(name, value)| (*name, value))
            .collect(),
    };
    Ok(vec![("sample", network.forward(&sample, &input, None))])
}

fn encode(run: &Run, inputs: &Inputs) -> Result<Outputs, RunError> {
    let network = run.network(PaellaVq::new)?;
    let channels = Is(network.config().in_channels);
    let x = inputs.float("x", &[Any("batch"), channels, Any("height"), Any("width")])?;
    Ok(vec![("latents", network.encode(&x, false))])
}

fn decode(run: &Run, inputs: &Inputs) -> Result<Outputs, RunError> {
    let network = run.network(PaellaVq::new)?;
    let channels = Is(network.config().latent_channels);
    let h = inputs.float("h", &[Any("batch"), channels, Any("height"), Any("width")])?;
    Ok(vec![("sample", network.decode(&h))])
}

fn text_encoder(run: &Run, inputs: &Inputs) -> Result<Outputs, RunError> {
    let network = run.network(ClipTextModelWithProjection::new)?;
    let known = (0, network.config().vocab_size - 1);
    let ids = inputs.integers("input_ids", &[Any("batch"), Any("tokens")], known)?;
    let (batch, length) = ids.size2()?;
    let mask = inputs.optional_integers("attention_mask", &[Is(batch), Is(length)])?;
    let answer = network.forward(&ids, mask.as_ref())?;
    let last = answer.hidden_states[answer.hidden_states.len() - 1].shallow_clone();
    Ok(vec![
        ("text_embeds", answer.text_embeds),
        ("last_hidden_state", answer.last_hidden_state),
        ("hidden_states.-1", last),
    ])
}

fn image_encoder(run: &Run, inputs: &Inputs) -> Result<Outputs, RunError> {
    let network = run.network(ClipVisionModelWithProjection::new)?;
    let (channels, side) = (network.config().num_channels, network.config().image_size);
    let shape = [Any("batch"), Is(channels), Is(side), Is(side)];
    let answer = network.forward(&inputs.float("pixel_values", &shape)?)?;
    Ok(vec![
        ("image_embeds", answer.image_embeds),
        ("last_hidden_state", answer.last_hidden_state),
    ])
}

fn effnet(run: &Run, inputs: &Inputs) -> Result<Outputs, RunError> {
    let network = run.network(EfficientNetEncoder::new)?;
    let x = inputs.float("x", &[Any("batch"), Is(3), Any("height"), Any("width")])?;
    Ok(vec![("latents", network.forward(&x))])
}

fn vlm(run: &Run, inputs: &Inputs) -> Result<Outputs, RunError> {
    let network = run.network(LlavaOnevision::new)?;
    let known = (0, network.config().text_config.vocab_size - 1);
    let ids = inputs.integers("input_ids", &[Any("batch"), Any("tokens")], known)?;
    let (batch, length) = ids.size2()?;
    let mask = inputs.optional_integers("attention_mask", &[Is(batch), Is(length)])?;
    let features = match pictures(run, inputs, &network)? {
        Some(pictures) => network.image_features(&pictures)?,
        None => Vec::new(),
    };
    let embedded = network.embed(&ids, &features)?;
    let language = network.language_model();
    let states = language.forward(&embedded, mask.as_ref(), None, None);
    let here: Vec<Tensor> = states.iter().map(|state| state.select(1, -1)).collect();
    let last_token = Tensor::stack(&here, 0);
    Ok(vec![
        ("logits", language.logits(&states[states.len() - 1])),
        (
            "hidden_states_last_token",
            match batch {
                1 => last_token.squeeze_dim(1),
                _ => last_token,
            },
        ),
    ])
}

/// The pictures of a conversation, if it has any.
fn pictures(
    run: &Run,
    inputs: &Inputs,
    network: &LlavaOnevision,
) -> Result<Option<Pictures>, RunError> {
    let vision = &network.config().vision_config;
    let (channels, side) = (Is(vision.num_channels), Is(vision.image_size));
    let shapes: [&[_]; 2] = [
        &[Any("pictures"), Any("tiles"), channels, side, side],
        &[Any("tiles"), channels, side, side],
    ];
    let Some(pixel_values) = inputs.any_of("pixel_values", &shapes)? else {
        return Ok(None);
    };
    let pixels = (1, 1 << 24);
    let sizes = inputs.integers("image_sizes", &[Any("pictures"), Is(2)], pixels)?;
    let image_sizes: Vec<Vec<i64>> = Vec::try_from(&sizes)?;
    let counts = inputs.optional_integers("batch_num_images", &[Any("conversations")])?;
    let batch_num_images = match counts {
        Some(counts) => Vec::<i64>::try_from(&counts)?
            .into_iter()
            .map(|count| count.max(0) as usize)
            .collect(),
        None => counts_of(&pixel_values, image_sizes.len()),
    };
    Ok(Some(Pictures {
        pixel_values: pixel_values.to_kind(run.kind),
        image_sizes: image_sizes.iter().map(|size| (size[0], size[1])).collect(),
        batch_num_images,
    }))
}

/// How many pictures each conversation has, where the inputs don't say: as the reference has it,
/// every picture stands alone. But a picture alone is read in two tiles or more, so several of one
/// tile each are of one conversation.
fn counts_of(pixel_values: &Tensor, pictures: usize) -> Vec<usize> {
    let size = pixel_values.size();
    let whole = match size.len() {
        5 => size[1] == 1,
        _ => size[0] == pictures as i64,
    };
    match whole && pictures > 1 {
        true => vec![pictures],
        false => vec![1; pictures],
    }
}

/// The scheduler's configuration with the number of steps that the reference is told apart.
#[derive(Deserialize)]
struct SchedulerConfig {
    #[serde(flatten)]
    schedule: DdpmWuerstchenConfig,
    steps: i64,
}

fn scheduler(run: &Run, inputs: &Inputs) -> Result<Outputs, RunError> {
    let SchedulerConfig { schedule, steps } = read_config(run.config)?;
    let unknown = |error: WeightsError| RunError::from(error.in_file(run.config));
    schedule.validate().map_err(unknown)?;
    if !(1..=100_000).contains(&steps) {
        return Err(RunError::from(WeightsError::Config {
            path: run.config.into(),
            reason: format!("`steps` is {steps}, 1 to 100000 are allowed"),
        }));
    }
    let scheduler = DdpmWuerstchenScheduler::new(schedule);
    let timesteps = scheduler.timesteps(steps).to_device(run.device);
    let sample = inputs.float_of_any_rank("sample")?;
    let shape: Vec<_> = sample.size().into_iter().map(Is).collect();
    let noise = inputs.float("noise", &shape)?;
    let at = inputs.timesteps("add_noise_timesteps", &shape[..1])?;
    Ok(vec![
        ("alpha_cumprod", scheduler.alpha_cumprod(&timesteps)),
        ("timesteps", timesteps),
        ("noised", scheduler.add_noise(&sample, &noise, &at)),
    ])
}
