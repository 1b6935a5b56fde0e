//! The published models' repositories, as they are on the hub, in one folder.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::folder::{Component, ModelCard};
use super::{WeightsError, files, read_config};
use crate::networks::paella_vq::PaellaVqConfig;
use crate::pipeline::{LatentScale, PromptConditioning, SquareSizes};

/// Folders are searched this deep for repositories: the hub's own cache has one as
/// `models--…/snapshots/…`.
pub const REPOSITORY_DEPTH: usize = 3;
const VLM: &str = "LLaVA-OneVision";
const VLM_SIGN: &str = "a config.json of model_type llava_onevision";
/// Side of a picture in pixels: what the official models were trained on.
const PICTURE_SIDE: i64 = 1024;

/// Where the parts of Stable Cascade and LLaVA-OneVision are. The repositories are known by what
/// is in them, so their folders may have any name.
#[derive(Debug, Clone)]
pub struct HubLayout {
    root: PathBuf,
    prior: Repository,
    decoder: Repository,
    vlm: Option<PathBuf>,
}

/// Which of the two sizes of its U-Net is taken of a repository that has both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum UNetSize {
    /// The full one where it has weights, else the lite one.
    #[default]
    Largest,
    /// The lite one.
    Lite,
}

impl UNetSize {
    /// The lite one, or whichever there is.
    pub fn lite(asked: bool) -> Self {
        match asked {
            true => Self::Lite,
            false => Self::Largest,
        }
    }

    /// The endings of its folders' names, the preferred one first.
    fn endings(self) -> &'static [&'static str] {
        match self {
            Self::Largest => &["", LITE],
            Self::Lite => &[LITE],
        }
    }
}

/// What the name of a lite U-Net's folder ends in.
pub const LITE: &str = "_lite";

/// A pipeline as diffusers saves it: a folder for each part.
#[derive(Debug, Clone)]
struct Repository {
    dir: PathBuf,
    /// What stands before the parts' names: a combined pipeline has the prior's in one folder
    /// with the decoder's.
    prefix: &'static str,
    /// The folder of its U-Net, which there may be in two sizes.
    unet: PathBuf,
}

impl Repository {
    /// The repository in `dir` that has a U-Net of this name.
    fn in_folder(dir: &Path, prefix: &'static str, unet: &str, size: UNetSize) -> Option<Self> {
        let folder = |ending: &&str| dir.join(format!("{prefix}{unet}{ending}"));
        let sizes: Vec<PathBuf> = size.endings().iter().map(folder).collect();
        let there = |folder: &&PathBuf| folder.join("config.json").exists();
        let whole =
            |folder: &&PathBuf| there(folder) && files::any(folder, Component::Prior.stem());
        // Without weights anywhere, opening the first says what is missing.
        let unet = sizes.iter().find(whole).or(sizes.iter().find(there))?;
        Some(Self {
            dir: dir.to_owned(),
            prefix,
            unet: unet.clone(),
        })
    }

    fn part(&self, name: &str) -> PathBuf {
        self.dir.join(format!("{}{name}", self.prefix))
    }

    /// The pipeline's own settings; all defaults where there is no model_index.json.
    fn settings(&self) -> Result<PipelineSettings, WeightsError> {
        let path = self.dir.join("model_index.json");
        match path.exists() {
            true => read_config(&path),
            false => Ok(PipelineSettings::default()),
        }
    }
}

/// What is read of a model_index.json.
#[derive(Default, Deserialize)]
struct PipelineSettings {
    resolution_multiple: Option<f64>,
    latent_dim_scale: Option<f64>,
}

/// What a config.json says it is of.
#[derive(Deserialize)]
struct ModelType {
    model_type: Option<String>,
}

impl HubLayout {
    /// Searches `root` and three levels below for the repositories with a U-Net of this size.
    ///
    /// # Errors
    /// One that draws is missing, or there are several of a kind, or a folder cannot be listed.
    pub(super) fn find(root: &Path, size: UNetSize) -> Result<Self, WeightsError> {
        let mut found = Found {
            size,
            ..Found::default()
        };
        found.visit(root, REPOSITORY_DEPTH)?;
        let one = |unet, mut repositories: Vec<Repository>| match repositories.len() {
            1 => Ok(repositories.remove(0)),
            _ => {
                let dirs = repositories.into_iter().map(|one| one.dir).collect();
                let names = size.endings().iter();
                let names: Vec<String> = names
                    .map(|ending| format!("{unet}{ending}/config.json"))
                    .collect();
                let what = format!("Stable Cascade {unet}");
                Err(not_one(root, &what, &names.join(" or "), dirs))
            }
        };
        let prior = one("prior", found.priors)?;
        let decoder = one("decoder", found.decoders)?;
        if found.vlms.len() > 1 {
            return Err(not_one(root, VLM, VLM_SIGN, found.vlms));
        }
        Ok(Self {
            root: root.to_owned(),
            vlm: found.vlms.pop(),
            prior,
            decoder,
        })
    }

    /// The folder of a network; of those that the repositories do not have, none.
    pub(super) fn component(&self, component: Component) -> Option<PathBuf> {
        Some(match component {
            Component::Prior => self.prior.unet.clone(),
            Component::Decoder => self.decoder.unet.clone(),
            Component::Vqgan => self.decoder.part("vqgan"),
            Component::TextEncoder => self.prior.part("text_encoder"),
            Component::Vlm => return self.vlm.clone(),
            Component::PreferenceAdapter if self.is_lite() => {
                self.root.join(format!("{}{LITE}", component.folder()))
            }
            _ => return None,
        })
    }

    /// The folder of the words that prompts are made of.
    pub(super) fn tokenizer(&self) -> PathBuf {
        self.prior.part("tokenizer")
    }

    /// The folder of a diffusion's noise schedule.
    pub(super) fn scheduler(&self, component: Component) -> PathBuf {
        match component {
            Component::Decoder => self.decoder.part("scheduler"),
            _ => self.prior.part("scheduler"),
        }
    }

    /// The folder of LLaVA-OneVision, with its tokenizer and image processor.
    ///
    /// # Errors
    /// There is none.
    pub fn vlm(&self) -> Result<&Path, WeightsError> {
        let missing = || not_one(&self.root, VLM, VLM_SIGN, Vec::new());
        self.vlm.as_deref().ok_or_else(missing)
    }

    /// The previewer that the original release has beside the decoder, where it is there.
    pub fn previewer(&self) -> Option<PathBuf> {
        let file = self.decoder.dir.join("previewer.safetensors");
        file.exists().then_some(file)
    }

    /// How a picture's size gives those of its latents.
    ///
    /// # Errors
    /// A model_index.json does not parse.
    pub fn scale(&self) -> Result<LatentScale, WeightsError> {
        let official = LatentScale::default();
        let multiple = self.prior.settings()?.resolution_multiple;
        let scale = self.decoder.settings()?.latent_dim_scale;
        Ok(LatentScale {
            resolution_multiple: multiple.unwrap_or(official.resolution_multiple),
            latent_dim_scale: scale.unwrap_or(official.latent_dim_scale),
        })
    }

    /// Whether the prior is the lite one.
    fn is_lite(&self) -> bool {
        let lite = format!("{}prior{LITE}", self.prior.prefix);
        self.prior.unet.ends_with(lite)
    }

    /// The name of the models together.
    pub fn name(&self) -> &'static str {
        match self.is_lite() {
            true => "stable-cascade-lite",
            false => "stable-cascade",
        }
    }

    /// The official settings, and the sizes that the configurations give a square picture.
    ///
    /// # Errors
    /// A model_index.json or Stage A's config.json does not parse.
    pub(super) fn card(&self) -> Result<ModelCard, WeightsError> {
        let latents = self.scale()?.latents(PICTURE_SIDE, PICTURE_SIDE);
        let stage_a: PaellaVqConfig = read_config(&self.decoder.part("vqgan").join("config.json"))?;
        Ok(ModelCard {
            name: self.name().into(),
            sizes: SquareSizes {
                picture: latents.decoder[0] * stage_a.pixels_per_position(),
                prior: latents.prior[0],
                decoder: latents.decoder[0],
            },
            default_steps: 20,
            max_steps: 60,
            decoder_steps: 10,
            default_guidance: 4.0,
            max_prompt_chars: 300,
            prompt: PromptConditioning::OFFICIAL,
        })
    }
}

/// What a search came across.
#[derive(Default)]
struct Found {
    size: UNetSize,
    priors: Vec<Repository>,
    decoders: Vec<Repository>,
    vlms: Vec<PathBuf>,
}

impl Found {
    fn visit(&mut self, dir: &Path, depth: usize) -> Result<(), WeightsError> {
        let prior = |prefix| Repository::in_folder(dir, prefix, "prior", self.size);
        self.priors.extend(prior("").or_else(|| prior("prior_")));
        let decoder = Repository::in_folder(dir, "", "decoder", self.size);
        self.decoders.extend(decoder);
        if is_vlm(dir) {
            self.vlms.push(dir.to_owned());
        }
        if depth == 0 {
            return Ok(());
        }
        super::subfolders(dir)?
            .iter()
            .try_for_each(|folder| self.visit(folder, depth - 1))
    }
}

/// Whether a folder's config.json is of LLaVA-OneVision; one that does not parse is of nothing.
fn is_vlm(dir: &Path) -> bool {
    let path = dir.join("config.json");
    let config = path.exists().then(|| read_config::<ModelType>(&path).ok());
    let named = config.flatten().and_then(|config| config.model_type);
    named.is_some_and(|named| named == "llava_onevision")
}

fn not_one(root: &Path, what: &str, sign: &str, found: Vec<PathBuf>) -> WeightsError {
    let folder = root.to_owned();
    if found.is_empty() {
        let reason = format!(
            "there is neither a model.json nor a {what} in it: a folder with {sign}, as the hub's \
             repositories have it"
        );
        return WeightsError::NoModel { folder, reason };
    }
    let list: Vec<String> = found.iter().map(|dir| dir.display().to_string()).collect();
    let list = list.join(", ");
    let reason = format!("it has several of {what}, and one is needed: {list}");
    WeightsError::Layout { folder, reason }
}

/// Whether anything in a folder, or as deep below as repositories and their networks are, was
/// written by diffusers or transformers: their configurations name a class, and this program's own
/// name none. So a folder of the published models is told from a mini that is under way, however
/// much either lacks. What cannot be read is of nobody.
pub fn holds_published(root: &Path) -> bool {
    fn any(dir: &Path, depth: usize) -> bool {
        let folders = || super::subfolders(dir).unwrap_or_default();
        is_references(dir) || depth > 0 && folders().iter().any(|folder| any(folder, depth - 1))
    }
    any(root, REPOSITORY_DEPTH + 1)
}

/// Whether a folder is a pipeline's or a network's as a reference library saves it.
fn is_references(dir: &Path) -> bool {
    #[derive(Deserialize)]
    struct Class {
        _class_name: Option<String>,
        architectures: Option<Vec<String>>,
    }
    let config = read_config::<Class>(&dir.join("config.json"));
    let named = config.is_ok_and(|c| c._class_name.is_some() || c.architectures.is_some());
    named || dir.join("model_index.json").exists()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(root: &Path, file: &str, text: &str) {
        let path = root.join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    #[test]
    fn repositories_are_found_by_what_is_in_them() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        let missing = |part: &str| {
            let error = HubLayout::find(root, UNetSize::Largest)
                .unwrap_err()
                .to_string();
            assert!(error.contains(part), "{error}");
        };
        missing("prior");
        let snapshot = "models--any--name/snapshots/0123";
        write(root, &format!("{snapshot}/prior/config.json"), "{}");
        write(root, &format!("{snapshot}/prior_lite/config.json"), "{}");
        let weights = format!("{snapshot}/prior_lite/diffusion_pytorch_model.safetensors");
        write(root, &weights, "");
        write(
            root,
            &format!("{snapshot}/model_index.json"),
            r#"{"resolution_multiple": 32.0}"#,
        );
        missing("decoder");
        write(root, "b/decoder/config.json", "{}");
        write(root, "b/vqgan/config.json", r#"{"levels": 3}"#);
        let error = HubLayout::find(root, UNetSize::Largest)
            .unwrap()
            .vlm()
            .unwrap_err();
        assert!(error.to_string().contains("llava_onevision"), "{error}");
        let vlm = r#"{"model_type": "llava_onevision"}"#;
        write(root, "vlm/config.json", vlm);

        let layout = HubLayout::find(root, UNetSize::Largest).unwrap();
        let prior = layout.component(Component::Prior).unwrap();
        assert!(prior.ends_with("prior_lite"), "the one that has weights");
        let card = layout.card().unwrap();
        assert_eq!(card.name, "stable-cascade-lite");
        let sizes = [card.sizes.prior, card.sizes.decoder, card.sizes.picture];
        assert_eq!(sizes, [32, 341, 341 * 8]);

        let error = HubLayout::find(root, UNetSize::Lite).unwrap_err();
        let lite = "decoder_lite/config.json";
        assert!(error.to_string().contains(lite), "{error}");
        write(root, &format!("b/{lite}"), "{}");
        let full = format!("{snapshot}/prior/diffusion_pytorch_model.safetensors");
        write(root, &full, "");
        let size_of = |size| {
            let layout = HubLayout::find(root, size).unwrap();
            [Component::Prior, Component::Decoder].map(|unet| layout.component(unet).unwrap())
        };
        let named = |folders: [PathBuf; 2], names: [&str; 2]| {
            folders.iter().zip(names).all(|(f, name)| f.ends_with(name))
        };
        assert!(named(size_of(UNetSize::Largest), ["prior", "decoder"]));
        assert!(named(
            size_of(UNetSize::Lite),
            ["prior_lite", "decoder_lite"]
        ));

        write(root, "another/config.json", vlm);
        missing("several");
    }

    #[test]
    fn each_size_has_an_adapter_of_its_own() {
        let dir = tempfile::tempdir().unwrap();
        for unet in ["a/prior", "a/prior_lite", "b/decoder", "b/decoder_lite"] {
            write(dir.path(), &format!("{unet}/config.json"), "{}");
        }
        let adapter = |size| {
            let layout = HubLayout::find(dir.path(), size).unwrap();
            layout.component(Component::PreferenceAdapter)
        };
        // The full one's is where every folder has it.
        assert_eq!(adapter(UNetSize::Largest), None);
        let lite = dir.path().join("preference_adapter_lite");
        assert_eq!(adapter(UNetSize::Lite), Some(lite));
    }

    #[test]
    fn a_broken_folder_of_published_models_is_none_of_a_mini_under_way() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        assert!(!holds_published(&root.join("nowhere")));
        write(
            root,
            "vlm/config.json",
            r#"{"model_type": "llava_onevision"}"#,
        );
        write(root, "decoder/config.json", r#"{"in_channels": 4}"#);
        assert!(!holds_published(root), "as this program writes them");
        let unet = r#"{"_class_name": "StableCascadeUNet"}"#;
        write(root, "models--any/snapshots/0123/prior/config.json", unet);
        assert!(holds_published(root));
    }

    #[test]
    fn a_combined_pipeline_is_both_repositories() {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), "prior_prior/config.json", "{}");
        write(dir.path(), "decoder/config.json", "{}");
        let layout = HubLayout::find(dir.path(), UNetSize::Largest).unwrap();
        let encoder = layout.component(Component::TextEncoder).unwrap();
        assert_eq!(encoder, dir.path().join("prior_text_encoder"));
        assert_eq!(
            layout.scheduler(Component::Decoder),
            dir.path().join("scheduler")
        );
    }
}
