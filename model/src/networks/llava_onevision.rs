//! LLaVA-OneVision (Li et al. 2024), as transformers' `LlavaOnevisionForConditionalGeneration`:
//! a SigLIP tower, a projector, and Qwen2 reading the pictures' features among its tokens.

use serde::{Deserialize, Serialize};
use tch::{Kind, Tensor};

use super::NetworkError;
use super::config::{Unread, check_model_type, unsupported};
use super::layers::Linear;
use super::qwen2::{Generation, GenerationLimits, Qwen2Config, Qwen2ForCausalLm};
use super::siglip::{Positions, SiglipVisionConfig, SiglipVisionModel};
use super::transformer::Activation;
use crate::weights::{Init, Params, WeightsError};

const NETWORK: &str = "LLaVA-OneVision";

/// The fields of a LLaVA-OneVision config.json, with transformers' defaults.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct LlavaOnevisionConfig {
    /// "llava_onevision".
    pub model_type: String,
    /// The vision tower.
    pub vision_config: SiglipVisionConfig,
    /// The language model.
    pub text_config: Qwen2Config,
    /// The token that stands for one feature vector of a picture.
    #[serde(alias = "image_token_id")]
    pub image_token_index: i64,
    /// Nonlinearity of the projector.
    pub projector_hidden_act: Activation,
    /// Whether the tower's first position is left out.
    pub vision_feature_select_strategy: SelectStrategy,
    /// Which of the tower's hidden states are read.
    pub vision_feature_layer: FeatureLayers,
    /// Whether the projector's maps have a bias.
    pub multimodal_projector_bias: bool,
    /// Whether the output matrix is the token table; the text configuration may say so as well.
    pub tie_word_embeddings: bool,
    /// Sizes `[height, width]`, in pixels, that a single picture may be cut into tiles from;
    /// absent: every multiple of 384 up to 2304 in both directions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_grid_pinpoints: Option<Vec<(i64, i64)>>,
    /// `anyres_max_N`: the tiles' features are scaled down past N tiles.
    pub vision_aspect_ratio: String,
    /// The token that stands for a frame of a video; videos are not read.
    #[serde(alias = "video_token_id")]
    pub video_token_index: i64,
    /// The fields that are not named here.
    #[serde(flatten, skip_serializing)]
    pub unread: Unread,
}

/// Which positions of the vision tower are read (`vision_feature_select_strategy`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SelectStrategy {
    /// All but the first.
    Default,
    /// All.
    Full,
}

/// Which hidden states of the vision tower are read (`vision_feature_layer`); negative counts
/// from the last one, several are joined channel after channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum FeatureLayers {
    /// One.
    One(i64),
    /// Several.
    Several(Vec<i64>),
}

impl FeatureLayers {
    fn indices(&self) -> &[i64] {
        match self {
            Self::One(layer) => std::slice::from_ref(layer),
            Self::Several(layers) => layers,
        }
    }
}

impl Default for LlavaOnevisionConfig {
    fn default() -> Self {
        Self {
            model_type: "llava_onevision".into(),
            vision_config: SiglipVisionConfig {
                hidden_size: 1152,
                intermediate_size: 4304,
                patch_size: 14,
                image_size: 384,
                num_hidden_layers: 26,
                num_attention_heads: 16,
                vision_use_head: false,
                ..SiglipVisionConfig::default()
            },
            text_config: Qwen2Config::default(),
            image_token_index: 151_646,
            projector_hidden_act: Activation::Gelu,
            vision_feature_select_strategy: SelectStrategy::Full,
            vision_feature_layer: FeatureLayers::One(-1),
            multimodal_projector_bias: true,
            tie_word_embeddings: false,
            image_grid_pinpoints: None,
            vision_aspect_ratio: "anyres_max_9".into(),
            video_token_index: 151_647,
            unread: Unread::default(),
        }
    }
}

impl LlavaOnevisionConfig {
    fn validate(&self) -> Result<(), WeightsError> {
        self.unread.check(NETWORK)?;
        check_model_type(NETWORK, &self.model_type, "llava_onevision")?;
        self.max_tiles()?;
        let states = self.vision_config.num_hidden_layers + 1;
        for &layer in self.vision_feature_layer.indices() {
            if !(-states..states).contains(&layer) {
                return Err(unsupported(NETWORK, "vision_feature_layer", layer));
            }
        }
        Ok(())
    }

    /// N of `anyres_max_N`.
    fn max_tiles(&self) -> Result<i64, WeightsError> {
        let value = &self.vision_aspect_ratio;
        value
            .strip_prefix("anyres_max_")
            .and_then(|count| count.parse().ok())
            .ok_or_else(|| unsupported(NETWORK, "vision_aspect_ratio", value))
    }

    fn grid_pinpoints(&self) -> Vec<(i64, i64)> {
        self.image_grid_pinpoints
            .clone()
            .unwrap_or_else(default_grid_pinpoints)
    }
}

/// The heights and widths that a single picture may be cut into tiles from, where a folder does
/// not say.
pub(crate) fn default_grid_pinpoints() -> Vec<(i64, i64)> {
    let sides = (1..=6).map(|n| 384 * n);
    sides
        .clone()
        .flat_map(|height| sides.clone().map(move |width| (height, width)))
        .collect()
}

/// Pictures as transformers' image processor hands them over.
#[derive(Debug)]
pub struct Pictures {
    /// `[N, tiles, num_channels, image_size, image_size]`, normalised: of each picture the whole
    /// of it first, then, where a conversation has that one picture only, the tiles of its grid;
    /// rows with fewer tiles are padded at the end. Or, without padding, those of all pictures
    /// one after another: `[all tiles, num_channels, image_size, image_size]`.
    pub pixel_values: Tensor,
    /// Height and width of each picture before processing, in pixels.
    pub image_sizes: Vec<(i64, i64)>,
    /// How many pictures each conversation has; they sum to N.
    pub batch_num_images: Vec<usize>,
}

impl Pictures {
    /// The pictures of one conversation that has several of them, each read as a whole:
    /// `pixel_values` is `[N, num_channels, image_size, image_size]`, N ≥ 2.
    pub fn several(pixel_values: &Tensor) -> Self {
        let size = pixel_values.size();
        Self {
            pixel_values: pixel_values.unsqueeze(1),
            image_sizes: vec![(size[2], size[3]); size[0] as usize],
            batch_num_images: vec![size[0] as usize],
        }
    }
}

/// LLaVA-OneVision.
pub struct LlavaOnevision {
    vision_tower: SiglipVisionModel,
    linear_1: Linear,
    linear_2: Linear,
    image_newline: Tensor,
    language_model: Qwen2ForCausalLm,
    config: LlavaOnevisionConfig,
}

impl LlavaOnevision {
    /// Takes its parameters from `params`, under any of the names in use: `language_model.model.…`
    /// with `vision_tower.…` at the top (as transformers writes them, and the published folders
    /// have them), or everything under `model.…` with `model.language_model.…` and `lm_head`.
    ///
    /// # Errors
    /// A tensor is missing or of another shape.
    pub fn new(params: &Params, config: LlavaOnevisionConfig) -> Result<Self, WeightsError> {
        config.validate()?;
        let language = params.sub("language_model");
        let (root, decoder, lm_head) = if params.contains("language_model") {
            (
                params.clone(),
                language.sub("model"),
                language.sub("lm_head"),
            )
        } else {
            let nested = params.sub("model");
            let decoder = nested.sub("language_model");
            (nested, decoder, params.sub("lm_head"))
        };
        let text = Qwen2Config {
            tie_word_embeddings: config.tie_word_embeddings
                || config.text_config.tie_word_embeddings,
            ..config.text_config.clone()
        };
        let c = text.hidden_size;
        let features =
            config.vision_config.hidden_size * config.vision_feature_layer.indices().len() as i64;
        let projector = root.sub("multi_modal_projector");
        let linear = if config.multimodal_projector_bias {
            Linear::new
        } else {
            Linear::without_bias
        };
        Ok(Self {
            vision_tower: SiglipVisionModel::new(
                &root.sub("vision_tower"),
                config.vision_config.clone(),
            )?,
            linear_1: linear(&projector.sub("linear_1"), features, c)?,
            linear_2: linear(&projector.sub("linear_2"), c, c)?,
            image_newline: root.tensor(
                "image_newline",
                &[c],
                Init::Normal {
                    std: 1.0 / (c as f64).sqrt(),
                },
            )?,
            language_model: Qwen2ForCausalLm::from_parts(&decoder, &lm_head, text)?,
            config,
        })
    }

    /// The configuration.
    pub fn config(&self) -> &LlavaOnevisionConfig {
        &self.config
    }

    /// The language model.
    pub fn language_model(&self) -> &Qwen2ForCausalLm {
        &self.language_model
    }

    /// Pictures `[B, 3, h, w]` in [0, 1] as the vision tower reads them; see
    /// [`SiglipVisionModel::preprocess`].
    pub fn preprocess(&self, pictures: &Tensor) -> Tensor {
        self.vision_tower.preprocess(pictures)
    }

    /// What the vision tower says about pictures `[N, num_channels, image_size, image_size]`:
    /// the selected positions and layers, `[N, positions, channels]`, before the projector.
    ///
    /// # Errors
    /// The pictures have another size than the tower reads.
    pub fn vision_features(&self, pixel_values: &Tensor) -> Result<Tensor, NetworkError> {
        let output = self
            .vision_tower
            .forward(pixel_values, Positions::Trained)?;
        let states = &output.hidden_states;
        let selected: Vec<&Tensor> = self
            .config
            .vision_feature_layer
            .indices()
            .iter()
            .map(|&layer| &states[layer.rem_euclid(states.len() as i64) as usize])
            .collect();
        let joined = Tensor::cat(&selected, -1);
        Ok(match self.config.vision_feature_select_strategy {
            SelectStrategy::Full => joined,
            SelectStrategy::Default => joined.slice(1, 1, None, 1),
        })
    }

    /// Projects vision features `[…, channels]` to the language model's width.
    pub fn project(&self, features: &Tensor) -> Tensor {
        self.linear_2.forward(
            &self
                .config
                .projector_hidden_act
                .apply(&self.linear_1.forward(features)),
        )
    }

    /// The vectors that stand for whole pictures in the prompt: projected features
    /// `[N, positions, hidden]` and the newline vector after each, `[N, positions + 1, hidden]`.
    pub fn with_newline(&self, projected: &Tensor) -> Tensor {
        let (count, hidden) = (projected.size()[0], projected.size()[2]);
        let newline = self.image_newline.expand([count, 1, hidden], false);
        Tensor::cat(&[projected, &newline], 1)
    }

    /// The vectors that stand for each picture in the prompt, `[tokens, hidden]` each.
    ///
    /// A picture that shares its conversation with others is read as a whole (one patch and the
    /// newline vector); a conversation's only picture is read as a whole and in tiles.
    ///
    /// # Errors
    /// The pictures' tensors do not fit together, or have another size than the tower reads.
    pub fn image_features(&self, pictures: &Pictures) -> Result<Vec<Tensor>, NetworkError> {
        let count: usize = pictures.batch_num_images.iter().sum();
        if count != pictures.image_sizes.len() {
            return Err(NetworkError::Pictures(format!(
                "{} sizes, and conversations of {count} pictures together",
                pictures.image_sizes.len()
            )));
        }
        let counts = self.tile_counts(pictures);
        let used = used_tiles(&pictures.pixel_values, &counts)?;
        let projected = self.project(&self.vision_features(&used)?);
        projected
            .split_with_sizes(&counts, 0)
            .iter()
            .zip(&pictures.image_sizes)
            .map(|(features, &size)| match features.size()[0] {
                1 => Ok(self.with_newline(features).get(0)),
                _ => self.pack_tiles(features, size),
            })
            .collect()
    }

    /// In how many tiles each picture is read.
    fn tile_counts(&self, pictures: &Pictures) -> Vec<i64> {
        let alone = pictures
            .batch_num_images
            .iter()
            .flat_map(|&n| std::iter::repeat_n(n == 1, n));
        pictures
            .image_sizes
            .iter()
            .zip(alone)
            .map(|(&size, alone)| match (alone, self.grid(size)) {
                (true, (rows, columns)) => 1 + rows * columns,
                (false, _) => 1,
            })
            .collect()
    }

    /// Rows and columns of tiles for a picture of this height and width.
    fn grid(&self, size: (i64, i64)) -> (i64, i64) {
        let (height, width) = best_resolution(size, &self.config.grid_pinpoints());
        let side = self.config.vision_config.image_size;
        ((height + side - 1) / side, (width + side - 1) / side)
    }

    /// Lays a picture's tiles out as one grid of features, cuts off the padding, scales down what
    /// is too much, ends every row with the newline vector, and puts the whole picture first.
    ///
    /// `features` is `[1 + tiles, positions, hidden]`; the answer `[tokens, hidden]`.
    fn pack_tiles(&self, features: &Tensor, size: (i64, i64)) -> Result<Tensor, NetworkError> {
        let side = self.config.vision_config.patches_per_side();
        let (_, positions, hidden) = features.size3()?;
        if positions != side * side {
            return Err(NetworkError::Pictures(format!(
                "a tile has {positions} features, its grid {side}×{side}; a single picture needs \
                 vision_feature_select_strategy \"full\""
            )));
        }
        let (rows, columns) = self.grid(size);
        let grid = features
            .narrow(0, 1, rows * columns)
            .view([rows, columns, side, side, hidden])
            .permute([4, 0, 2, 1, 3])
            .reshape([hidden, rows * side, columns * side]);
        let mut grid = unpad(&grid, size);
        let (height, width) = (grid.size()[1], grid.size()[2]);
        let most = (self.config.max_tiles()? * side * side) as f64;
        let ratio = ((height * width) as f64 / most).sqrt();
        if ratio > 1.1 {
            let scaled = [
                (height as f64 / ratio).floor() as i64,
                (width as f64 / ratio).floor() as i64,
            ];
            grid = grid
                .unsqueeze(0)
                .upsample_bilinear2d(scaled, false, None, None)
                .squeeze_dim(0);
        }
        let newline = self
            .image_newline
            .view([hidden, 1, 1])
            .expand([hidden, grid.size()[1], 1], false);
        let rows = Tensor::cat(&[&grid, &newline], 2)
            .flatten(1, 2)
            .transpose(0, 1);
        Ok(Tensor::cat(&[&features.get(0), &rows], 0))
    }

    /// The prompt as embeddings `[B, S, hidden]`: `input_ids`, `[B, S]` i64, with the image
    /// placeholders replaced, in order, by `features` (from [`Self::image_features`]).
    ///
    /// # Errors
    /// There are not as many placeholders as feature vectors.
    pub fn embed(&self, input_ids: &Tensor, features: &[Tensor]) -> Result<Tensor, NetworkError> {
        let embeddings = self.language_model.embed(input_ids);
        let placeholder = input_ids.eq(self.config.image_token_index);
        let placeholders = i64::try_from(placeholder.sum(Kind::Int64))?;
        let given: i64 = features.iter().map(|feature| feature.size()[0]).sum();
        if placeholders != given {
            return Err(NetworkError::Placeholders {
                placeholders,
                features: given,
            });
        }
        if features.is_empty() {
            return Ok(embeddings);
        }
        let features = Tensor::cat(features, 0).to_kind(embeddings.kind());
        Ok(embeddings.masked_scatter(&placeholder.unsqueeze(-1), &features))
    }

    /// Reads the prompt and continues it greedily; `attention_mask`, `[B, S]`, is non-zero at real
    /// tokens, and padding is on the left.
    ///
    /// # Errors
    /// As [`Self::embed`].
    pub fn generate(
        &self,
        input_ids: &Tensor,
        attention_mask: &Tensor,
        features: &[Tensor],
        limits: &GenerationLimits,
    ) -> Result<Generation, NetworkError> {
        let inputs = self.embed(input_ids, features)?;
        Ok(self
            .language_model
            .generate(&inputs, input_ids, attention_mask, limits))
    }
}

/// The tiles that are read, `[all tiles, …]`, of [`Pictures::pixel_values`].
fn used_tiles(pixel_values: &Tensor, counts: &[i64]) -> Result<Tensor, NetworkError> {
    let size = pixel_values.size();
    let all: i64 = counts.iter().sum();
    match size.as_slice() {
        [tiles, _, _, _] if *tiles == all => Ok(pixel_values.shallow_clone()),
        [tiles, _, _, _] => Err(NetworkError::Pictures(format!(
            "the pictures are read in {all} tiles together, {tiles} are given"
        ))),
        [pictures, _, _, _, _] if *pictures != counts.len() as i64 => Err(NetworkError::Pictures(
            format!("{pictures} pictures and {} sizes", counts.len()),
        )),
        [_, tiles, _, _, _] => match counts.iter().find(|&count| count > tiles) {
            Some(missing) => Err(NetworkError::Pictures(format!(
                "a picture is read in {missing} tiles, {tiles} are given"
            ))),
            None => {
                let used: Vec<Tensor> = (0..)
                    .zip(counts)
                    .map(|(i, &count)| pixel_values.get(i).narrow(0, 0, count))
                    .collect();
                Ok(Tensor::cat(&used, 0))
            }
        },
        _ => Err(NetworkError::Pictures(format!(
            "their values have {} dimensions, 4 or 5 are needed",
            size.len()
        ))),
    }
}

/// The size of the list that keeps most of a picture and wastes least, as transformers'
/// `select_best_resolution`; sizes are height and width.
pub(crate) fn best_resolution(size: (i64, i64), possible: &[(i64, i64)]) -> (i64, i64) {
    let (height, width) = size;
    let kept = |&(rows, columns): &(i64, i64)| {
        let scale = f64::min(columns as f64 / width as f64, rows as f64 / height as f64);
        let scaled = (width as f64 * scale) as i64 * (height as f64 * scale) as i64;
        scaled.min(width * height)
    };
    let mut best = (size, 0, i64::MAX);
    for &(rows, columns) in possible {
        let effective = kept(&(rows, columns));
        let wasted = rows * columns - effective;
        if effective > best.1 || (effective == best.1 && wasted < best.2) {
            best = ((rows, columns), effective, wasted);
        }
    }
    best.0
}

/// Cuts off what padding a picture of this height and width got when it was fitted into a grid
/// of features `[hidden, rows, columns]`.
fn unpad(grid: &Tensor, (height, width): (i64, i64)) -> Tensor {
    let (rows, columns) = (grid.size()[1], grid.size()[2]);
    let rounded = |x: f64| ((x * 1e7).round() / 1e7) as i64;
    if width as f64 / height as f64 > columns as f64 / rows as f64 {
        let kept = rounded(height as f64 * (columns as f64 / width as f64));
        let margin = (rows - kept) / 2;
        grid.narrow(1, margin, rows - 2 * margin)
    } else {
        let kept = rounded(width as f64 * (rows as f64 / height as f64));
        let margin = (columns - kept) / 2;
        grid.narrow(2, margin, columns - 2 * margin)
    }
}
