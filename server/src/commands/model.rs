//! `predilect model`: the networks by themselves.
use std::path::PathBuf;

use super::prompts;
use anyhow::Context;
use clap::builder::FalseyValueParser;
use clap::{Args, Subcommand};
use predilect_model::check_folder::{NetworkReport, PartReport, PlainFile, Served, check};
use predilect_model::device::{Device, DeviceChoice, DtypeChoice};
use predilect_model::memory::{gib, peak_resident_bytes, size_words};
use predilect_model::run_component::{Run, RunnableComponent};
use predilect_model::shim::peak_device_bytes;
use predilect_model::training::{PREVIEW_PROMPTS, fit_previewer};
use predilect_model::weights::{ModelFolder, UNetSize, save};

/// Run one network of a model, check a folder of networks, or fit previews to a published model.
#[derive(Args)]
pub(crate) struct ModelCommand {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Run one network on tensors from a file and write what it answers.
    ///
    /// Inputs bear the names of the reference's arguments, outputs those of its fields:
    ///
    /// stage-c, stage-b: sample, timestep_ratio, clip_text_pooled, and where the configuration
    /// has them clip_text, clip_img, effnet, pixels, sca, crp; answers sample.
    /// stage-a-encode: x; answers latents. stage-a-decode: h; answers sample.
    /// text-encoder: input_ids, attention_mask; answers text_embeds, last_hidden_state,
    /// hidden_states.-1.
    /// image-encoder: pixel_values; answers image_embeds, last_hidden_state.
    /// effnet: x; answers latents.
    /// vlm: input_ids, attention_mask, pixel_values, image_sizes, batch_num_images; answers
    /// logits, hidden_states_last_token.
    /// scheduler: sample, noise, add_noise_timesteps, with scaler, s and steps in the
    /// configuration; answers timesteps, alpha_cumprod, noised.
    #[command(verbatim_doc_comment)]
    Run(RunArgs),
    /// List a folder's networks with files, parameters, dtype and memory, its tokenizers,
    /// schedulers, image processors and other files, what is wrong, and whether it can be served.
    ///
    /// Reads configurations, headers and tokenizers only. The folder is a network's, a
    /// pipeline's as it is on the hub, or one with several of these. Fails where anything is
    /// wrong, or where Stable Cascade's prior and decoder are there and cannot be served.
    Check(CheckArgs),
    /// Fit the previews of a published model to pictures that it draws, and write them into its
    /// folder.
    ///
    /// A preview is a linear map from the prior's latents to small pictures. `predilect serve`
    /// takes it from FOLDER/previewer.
    FitPreviewer(FitPreviewerArgs),
}

#[derive(Args)]
struct FitPreviewerArgs {
    /// The folder of the model
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
    /// What to draw, one prompt a line [default: sixteen of many colours and kinds of light]
    #[arg(long, value_name = "FILE")]
    prompts: Option<PathBuf>,
    /// Pictures to draw
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u16).range(1..))]
    count: u16,
    /// Take the lite networks of published models that have both sizes
    #[arg(long, env = "PREDILECT_LITE", value_parser = FalseyValueParser::new())]
    lite: bool,
    /// auto, f32 or bf16
    #[arg(long, default_value = "auto")]
    dtype: DtypeChoice,
    /// auto, cpu, cuda or cuda:N
    #[arg(long, default_value = "auto")]
    device: DeviceChoice,
}

#[derive(Args)]
struct CheckArgs {
    /// The folder
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
    /// Take the lite networks of published models that have both sizes
    #[arg(long, env = "PREDILECT_LITE", value_parser = FalseyValueParser::new())]
    lite: bool,
}

#[derive(Args)]
struct RunArgs {
    /// stage-c, stage-b, stage-a-encode, stage-a-decode, text-encoder, image-encoder, effnet,
    /// vlm or scheduler
    component: RunnableComponent,
    /// The network's config.json, as diffusers or transformers writes it
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Its weights: a safetensors file, or the index.json of several; the scheduler has none
    #[arg(long, value_name = "FILE")]
    weights: Option<PathBuf>,
    /// The input tensors, a safetensors file
    #[arg(long, value_name = "FILE")]
    inputs: PathBuf,
    /// Where the output tensors go; numbers with fractions are written as f32
    #[arg(long, value_name = "FILE")]
    output: PathBuf,
    /// f32, bf16 or auto: of weights, activations and inputs; timesteps keep their own
    #[arg(long, default_value = "f32")]
    dtype: DtypeChoice,
    /// auto, cpu, cuda or cuda:N
    #[arg(long, default_value = "auto")]
    device: DeviceChoice,
}

/// Runs the subcommand.
pub(crate) fn run(args: ModelCommand) -> anyhow::Result<()> {
    match args.action {
        Action::Run(args) => run_component(&args),
        Action::Check(args) => check_folder(&args),
        Action::FitPreviewer(args) => fit(&args),
    }
}

fn fit(args: &FitPreviewerArgs) -> anyhow::Result<()> {
    let prompts = match &args.prompts {
        Some(file) => prompts::read(file)?,
        None => PREVIEW_PROMPTS.map(str::to_owned).to_vec(),
    };
    let folder = ModelFolder::open(&args.folder, UNetSize::lite(args.lite))?;
    let device = args.device.resolve()?;
    let kind = args.dtype.resolve(device);
    let fit = fit_previewer(&folder, &prompts, args.count.into(), kind, device)?;
    println!(
        "{}: previews that leave {:.0} % of the pictures' variance",
        fit.folder.display(),
        100.0 * fit.unexplained
    );
    Ok(())
}

fn run_component(args: &RunArgs) -> anyhow::Result<()> {
    let device = args.device.resolve()?;
    let run = Run {
        component: args.component,
        config: &args.config,
        weights: args.weights.as_deref(),
        inputs: &args.inputs,
        kind: args.dtype.resolve(device),
        device,
    };
    let answer = run.answer()?;
    for name in &answer.unread {
        eprintln!("{} does not read the input `{name}`", args.component);
    }
    let outputs = answer.outputs.iter().map(|(name, tensor)| (*name, tensor));
    save(&args.output, outputs).context("the answer could not be written")?;
    for (name, tensor) in &answer.outputs {
        println!("{name} {:?}", tensor.size());
    }
    if let Some(peak) = peak_resident_bytes() {
        println!("peak memory {:.2} GiB", gib(peak));
    }
    if let Device::Cuda(number) = device
        && let Some(peak) = peak_device_bytes(number)
    {
        println!("peak memory of the device {:.2} GiB", gib(peak));
    }
    Ok(())
}

fn check_folder(args: &CheckArgs) -> anyhow::Result<()> {
    let report = check(&args.folder, UNetSize::lite(args.lite))?;
    for network in &report.networks {
        print_network(network);
    }
    for part in &report.parts {
        print_part(part);
    }
    for file in &report.unread {
        let size = size_words(file.bytes);
        println!("{}: {size}, not read", file.path.display());
    }
    for PlainFile { path, bytes } in &report.files {
        println!("{}: {bytes} bytes", path.display());
    }
    for said in report.problems.iter().chain(&report.not_needed) {
        println!("{said}");
    }
    let folder = args.folder.display();
    match &report.served {
        Served::Model(name) => println!("{folder} can be served: {name}"),
        Served::Part(reason) | Served::Broken(reason) => {
            println!("{folder} cannot be served by itself: {reason}");
        }
    }
    anyhow::ensure!(report.is_sound(), "the folder is not as it should be");
    Ok(())
}

fn print_network(report: &NetworkReport) {
    println!(
        "{}: {}",
        report.folder.display(),
        report.network.unwrap_or("not a known network")
    );
    for (file, size) in &report.files {
        println!("  {} {}", file.display(), size_words(*size));
    }
    if report.parameters > 0 {
        let dtypes: Vec<&str> = report.dtypes.iter().map(String::as_str).collect();
        println!(
            "  {} parameters, {}; in memory {} as bf16, {} as f32",
            report.parameters,
            dtypes.join(", "),
            size_words(report.memory(2)),
            size_words(report.memory(4)),
        );
    }
    match &report.problem {
        None if report.spare => println!("  no weights, and none are needed"),
        None => println!("  sound"),
        Some(problem) => println!("  {problem}"),
    }
}

fn print_part(report: &PartReport) {
    let file = report.file.display();
    match &report.content {
        Ok(content) => println!("{file}: {content}"),
        Err(problem) => println!("{file}: {problem}"),
    }
}
