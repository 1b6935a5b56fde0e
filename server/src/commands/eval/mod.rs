//! `predilect eval`: measures pictures, the model and the personalisation.
mod axes;
mod blend;
mod mirror;
mod pictures;
mod variety;
mod winrate;

use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use clap::{Args, Subcommand};
use jiff::Timestamp;
use predilect_model::data::artwork::Artwork;
use predilect_model::data::cache;
use predilect_model::engine::{Engine, EngineConfig};
use predilect_model::evaluation::choice_pool::ChoicePool;
use predilect_model::preference::pair_bank::PairBank;
use predilect_model::weights::ModelFolder;
use serde::Serialize;

/// Measure what the model draws, and whether choices move it.
#[derive(Args)]
pub(crate) struct EvalArgs {
    #[command(subcommand)]
    action: EvalCommand,
}

#[derive(Subcommand)]
enum EvalCommand {
    /// Draw a picture of each of 40 prompts and let the judge name it among all subjects.
    ///
    /// Writes pictures.json and pictures.png (eight a row, in the order of the JSON) and says
    /// the share whose subject is among the judge's first five guesses, beside the same share
    /// on real artwork and on that artwork after the latent encoder, Stage B and Stage A. Needs
    /// a trained model with its judge and the training set.
    Pictures(pictures::PicturesArgs),
    /// Draw many pictures for nobody and say how varied they are, and whether they are copies.
    ///
    /// Writes variety.json: the styles that the judge names among the pictures of one prompt, the
    /// kernel distance of drawn pictures to artwork of held-out subjects, and the distance of each
    /// to the nearest picture of the training artwork, beside that of artwork never seen.
    Variety(variety::VarietyArgs),
    /// Let simulated people choose four times between pairs of the bank, and test that the same
    /// pairs with opposite answers move the pictures in the chosen direction.
    ///
    /// Writes mirror.json and mirror.png: two rows a person, the choices' pictures above the
    /// opposite ones'.
    Mirror(mirror::MirrorArgs),
    /// Let simulated people compare what is drawn for them with what is drawn for nobody, for
    /// everybody and for somebody else.
    ///
    /// Each person chooses four times between pairs of the bank; their taste is read, and every
    /// prompt is drawn in all arms from one seed. Says the share that the personalised pictures
    /// win, by the person's noiseless utility and by their answers, with Wilson's interval and
    /// that of a bootstrap clustered by person.
    Winrate(winrate::WinrateArgs),
    /// Blend the tastes of two simulated people step by step, from the one's to the other's, and
    /// say whether the pictures follow.
    ///
    /// Writes blend.json: at every place of the slider how much both people like the pictures and
    /// whether these still show what was asked for, the correlation of place and liking, over all
    /// couples and in each of them, and the largest step.
    Blend(blend::BlendArgs),
    /// Print mean and standard deviation of every axis over the artwork and its variants (the
    /// constants that measured axes are normalised by), and how they are correlated.
    Axes(axes::AxesArgs),
}

/// Which model, which data, and where results go.
#[derive(Args)]
pub(crate) struct ModelArgs {
    /// The model folder [default: models/mini in the cache folder]
    #[arg(long, value_name = "FOLDER")]
    model: Option<PathBuf>,
    /// The artwork set [default: data/artwork-128 in the cache folder]
    #[arg(long, value_name = "FOLDER")]
    artwork: Option<PathBuf>,
    /// CPU threads [default: all cores]
    #[arg(long)]
    threads: Option<i32>,
}

impl ModelArgs {
    fn folder(&self) -> PathBuf {
        self.model
            .clone()
            .unwrap_or_else(|| cache::cache_dir().join("models/mini"))
    }

    /// Starts the engine on the model.
    pub(crate) fn engine(&self) -> anyhow::Result<Engine> {
        let config = EngineConfig {
            threads: self.threads,
            ..EngineConfig::new(self.folder())
        };
        Ok(Engine::start(config)?)
    }

    /// Names the model's folder.
    fn model_folder(&self) -> ModelFolder {
        ModelFolder::new(self.folder())
    }

    /// Opens the artwork set.
    pub(crate) fn artwork(&self) -> anyhow::Result<Artwork> {
        Ok(Artwork::open(
            &self.artwork.clone().unwrap_or_else(cache::artwork_dir),
        )?)
    }
}

/// Runs the subcommand.
pub(crate) fn run(args: EvalArgs) -> anyhow::Result<()> {
    match args.action {
        EvalCommand::Pictures(args) => pictures::run(args),
        EvalCommand::Variety(args) => variety::run(args),
        EvalCommand::Mirror(args) => mirror::run(args),
        EvalCommand::Winrate(args) => winrate::run(args),
        EvalCommand::Blend(args) => blend::run(args),
        EvalCommand::Axes(args) => axes::run(args),
    }
}

/// The bank in this folder, where the engine's model drew it.
fn pairs_to_choose_from(engine: &Engine, folder: &Path) -> anyhow::Result<ChoicePool> {
    let bank = PairBank::load(folder)?;
    ensure!(
        bank.model_hash() == engine.info().drawing_hash,
        "the pairs in {} were drawn by other weights: draw them with predilect pairs build",
        folder.display()
    );
    Ok(ChoicePool::of_bank(&bank)?)
}

/// A report and how it was made.
#[derive(Serialize)]
struct Stamped<'a, R> {
    made: Made,
    #[serde(flatten)]
    report: &'a R,
}

#[derive(Serialize)]
struct Made {
    /// The command line.
    command: String,
    /// SHA-256 of the model's weights.
    model: String,
    /// Day (UTC).
    date: String,
}

impl Made {
    /// Now, by this command.
    fn with(engine: &Engine) -> Self {
        let mut words = std::env::args();
        let program = words.next().unwrap_or_default();
        let program = Path::new(&program).file_name().unwrap_or_default();
        let words = std::iter::once(program.to_string_lossy().into_owned()).chain(words);
        let now = Timestamp::now().to_string();
        Self {
            command: words.collect::<Vec<_>>().join(" "),
            model: engine.info().hash.clone(),
            date: now.chars().take_while(|c| *c != 'T').collect(),
        }
    }
}

/// Writes FOLDER/NAME.json: the report, and how it was made.
fn write_report(
    folder: &Path,
    name: &str,
    engine: &Engine,
    report: &impl Serialize,
) -> anyhow::Result<()> {
    let report = Stamped {
        made: Made::with(engine),
        report,
    };
    std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    let path = folder.join(format!("{name}.json"));
    let text = serde_json::to_string_pretty(&report)?;
    std::fs::write(&path, text + "\n").with_context(|| path.display().to_string())
}
