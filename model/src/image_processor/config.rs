//! preprocessor_config.json, as transformers writes it now and wrote it before.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;
use tch::Tensor;

use super::{AnyresProcessor, Filter, ImageProcessor, Range, SingleProcessor, Size};
use crate::networks::llava_onevision::default_grid_pinpoints;
use crate::weights::{WeightsError, read_config};

/// Mean and deviation of the pictures that CLIP was trained on.
const CLIP_MEAN: [f64; 3] = [0.481_454_66, 0.457_827_5, 0.408_210_73];
const CLIP_STD: [f64; 3] = [0.268_629_54, 0.261_302_58, 0.275_777_11];

/// Fields that leave the tensors as they are: pictures come in as RGB here, channels go first,
/// and where the work is done is for the caller to say.
const NEUTRAL: [&str; 11] = [
    "_valid_processor_keys",
    "data_format",
    "default_to_square",
    "device",
    "disable_grouping",
    "do_convert_rgb",
    "image_seq_length",
    "input_data_format",
    "processor_class",
    "return_tensors",
    "vision_feature_select_strategy",
];

/// The fields, all of which may be left out or null: then the kind's default holds.
#[derive(Deserialize)]
struct Fields {
    image_processor_type: Option<String>,
    /// The same, as older folders name it.
    feature_extractor_type: Option<String>,
    do_resize: Option<bool>,
    size: Option<SizeField>,
    /// PIL's number of a filter.
    resample: Option<i64>,
    do_center_crop: Option<bool>,
    crop_size: Option<SizeField>,
    do_rescale: Option<bool>,
    rescale_factor: Option<f64>,
    do_normalize: Option<bool>,
    image_mean: Option<[f64; 3]>,
    image_std: Option<[f64; 3]>,
    /// Of LLaVA-OneVision: whether rows of tiles are filled up to the longest of a batch.
    do_pad: Option<bool>,
    image_grid_pinpoints: Option<Vec<(i64, i64)>>,
    #[serde(flatten)]
    unread: BTreeMap<String, Value>,
}

/// A size by its sides, or as older folders have it.
#[derive(Deserialize)]
#[serde(untagged)]
enum SizeField {
    Edge(i64),
    Sides(Sides),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Sides {
    shortest_edge: Option<i64>,
    height: Option<i64>,
    width: Option<i64>,
}

impl SizeField {
    /// `None` where it is of a kind that is not built.
    fn size(&self) -> Option<Size> {
        let size = match *self {
            Self::Edge(edge)
            | Self::Sides(Sides {
                shortest_edge: Some(edge),
                height: None,
                width: None,
            }) => Size::ShortestEdge(edge),
            Self::Sides(Sides {
                shortest_edge: None,
                height: Some(height),
                width: Some(width),
            }) => Size::Exact(height, width),
            Self::Sides(_) => return None,
        };
        let (height, width) = match size {
            Size::ShortestEdge(edge) => (edge, edge),
            Size::Exact(height, width) => (height, width),
        };
        (height > 0 && width > 0).then_some(size)
    }
}

/// The processors that are built.
#[derive(Clone, Copy, PartialEq, Eq)]
enum ProcessorKind {
    Clip,
    Siglip,
    LlavaOnevision,
}

impl ProcessorKind {
    fn named(name: &str) -> Option<Self> {
        let plain = name.strip_suffix("Fast").unwrap_or(name);
        match plain.strip_suffix("Pil").unwrap_or(plain) {
            "CLIPImageProcessor" | "CLIPFeatureExtractor" => Some(Self::Clip),
            "SiglipImageProcessor" => Some(Self::Siglip),
            "LlavaOnevisionImageProcessor" => Some(Self::LlavaOnevision),
            _ => None,
        }
    }

    fn size(self) -> Size {
        match self {
            Self::Clip => Size::ShortestEdge(224),
            Self::Siglip => Size::Exact(224, 224),
            Self::LlavaOnevision => Size::Exact(384, 384),
        }
    }

    fn mean_and_std(self) -> ([f64; 3], [f64; 3]) {
        match self {
            Self::Siglip => ([0.5; 3], [0.5; 3]),
            Self::Clip | Self::LlavaOnevision => (CLIP_MEAN, CLIP_STD),
        }
    }
}

pub(super) fn file(dir: &Path) -> Option<PathBuf> {
    let alone = dir.join("preprocessor_config.json");
    if alone.exists() {
        return Some(alone);
    }
    let whole = dir.join("processor_config.json");
    let named = |path: &Path| -> Option<Value> {
        let config: Value = read_config(path).ok()?;
        config.get("image_processor").cloned()
    };
    (whole.exists() && named(&whole).is_some()).then_some(whole)
}

pub(super) fn read(dir: &Path) -> Result<ImageProcessor, WeightsError> {
    let path = file(dir).unwrap_or_else(|| dir.join("preprocessor_config.json"));
    let refused = |reason: String| WeightsError::Config {
        path: path.clone(),
        reason,
    };
    let mut config: Value = read_config(&path)?;
    if let Some(nested) = config.get_mut("image_processor") {
        config = nested.take();
    }
    let fields: Fields =
        serde_path_to_error::deserialize(config).map_err(|error| refused(error.to_string()))?;
    fields.processor().map_err(refused)
}

impl Fields {
    fn processor(&self) -> Result<ImageProcessor, String> {
        let name = self.image_processor_type.as_deref();
        let name = name
            .or(self.feature_extractor_type.as_deref())
            .ok_or("`image_processor_type` is missing")?;
        let kind = ProcessorKind::named(name)
            .ok_or_else(|| format!("`image_processor_type` {name} is not supported"))?;
        self.check_unread()?;
        match kind {
            ProcessorKind::LlavaOnevision => Ok(ImageProcessor::Anyres(self.anyres(kind)?)),
            _ => Ok(ImageProcessor::Single(self.single(kind)?)),
        }
    }

    fn check_unread(&self) -> Result<(), String> {
        let other = self
            .unread
            .iter()
            .find(|(field, value)| !value.is_null() && !NEUTRAL.contains(&field.as_str()));
        match other {
            None => Ok(()),
            Some((field, value)) => Err(format!("`{field}` is {value}, which is not supported")),
        }
    }

    fn single(&self, kind: ProcessorKind) -> Result<SingleProcessor, String> {
        if self.do_pad == Some(true) {
            return Err("`do_pad` is true, which is not supported".into());
        }
        let resize = match self.do_resize.unwrap_or(true) {
            true => Some((self.size(kind)?, self.filter()?)),
            false => None,
        };
        let crop = match self.do_center_crop.unwrap_or(kind == ProcessorKind::Clip) {
            true => Some(self.crop()?),
            false => None,
        };
        Ok(SingleProcessor {
            resize,
            crop,
            range: self.range(kind),
        })
    }

    fn anyres(&self, kind: ProcessorKind) -> Result<AnyresProcessor, String> {
        for (field, given, needed) in [
            ("do_resize", self.do_resize, true),
            ("do_center_crop", self.do_center_crop, false),
            ("do_pad", self.do_pad, true),
        ] {
            if given.is_some_and(|given| given != needed) {
                return Err(format!("`{field}` is {}, which is not supported", !needed));
            }
        }
        let side = match self.size(kind)? {
            Size::ShortestEdge(side) => side,
            Size::Exact(height, width) if height == width => height,
            Size::Exact(..) => return Err("`size` is no square, which is not supported".into()),
        };
        let (mean, _) = self.mean_and_std(kind);
        Ok(AnyresProcessor {
            side,
            filter: self.filter()?,
            range: self.range(kind),
            background: mean.iter().map(|mean| (mean * 255.0) as u8).collect(),
            grid_pinpoints: self
                .image_grid_pinpoints
                .clone()
                .unwrap_or_else(default_grid_pinpoints),
        })
    }

    fn size(&self, kind: ProcessorKind) -> Result<Size, String> {
        match &self.size {
            None => Ok(kind.size()),
            Some(field) => field.size().ok_or_else(|| {
                "`size` needs either `shortest_edge` or `height` and `width`, 1 or more".into()
            }),
        }
    }

    fn crop(&self) -> Result<(i64, i64), String> {
        match self.crop_size.as_ref().map(SizeField::size) {
            None => Ok((224, 224)),
            Some(Some(Size::Exact(height, width))) => Ok((height, width)),
            // Older folders give a square's side alone.
            Some(Some(Size::ShortestEdge(side))) => Ok((side, side)),
            Some(None) => Err("`crop_size` needs `height` and `width`, 1 or more".into()),
        }
    }

    fn filter(&self) -> Result<Filter, String> {
        match self.resample {
            None | Some(3) => Ok(Filter::Bicubic),
            Some(2) => Ok(Filter::Bilinear),
            Some(other) => Err(format!(
                "`resample` is {other}, which is not supported; 2 (bilinear) and 3 (bicubic) are"
            )),
        }
    }

    fn mean_and_std(&self, kind: ProcessorKind) -> ([f64; 3], [f64; 3]) {
        let (mean, std) = kind.mean_and_std();
        (
            self.image_mean.unwrap_or(mean),
            self.image_std.unwrap_or(std),
        )
    }

    fn range(&self, kind: ProcessorKind) -> Range {
        let (mean, std) = self.mean_and_std(kind);
        let channels = |values: [f64; 3]| Tensor::from_slice(&values.map(|value| value as f32));
        let rescale = self.do_rescale.unwrap_or(true);
        let normalise = self.do_normalize.unwrap_or(true);
        Range {
            rescale: rescale.then(|| self.rescale_factor.unwrap_or(1.0 / 255.0)),
            normalise: normalise.then(|| (channels(mean), channels(std))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(config: &str) -> String {
        let fields: Fields = serde_json::from_str(config).expect("a configuration");
        fields.processor().expect_err("refused")
    }

    #[test]
    fn what_is_not_built_is_refused_by_name() {
        assert!(refusal("{}").contains("image_processor_type"));
        for (rest, named) in [
            (r#""resample": 1"#, "resample"),
            (r#""size": {"height": 3}"#, "size"),
            (r#""size": {"shortest_edge": 0}"#, "size"),
            (r#""do_pad": true"#, "do_pad"),
            (r#""do_split_image": true"#, "do_split_image"),
        ] {
            let config = format!(r#"{{"image_processor_type": "CLIPImageProcessor", {rest}}}"#);
            assert!(refusal(&config).contains(named), "{config}");
        }
        let other = r#"{"image_processor_type": "ViTImageProcessor"}"#;
        assert!(refusal(other).contains("ViTImageProcessor"));
        let oblong = r#"{"image_processor_type": "LlavaOnevisionImageProcessor",
            "size": {"height": 3, "width": 4}}"#;
        assert!(refusal(oblong).contains("size"));
    }
}
