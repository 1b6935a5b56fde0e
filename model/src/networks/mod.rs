//! One file per network, named as in its paper; each is a pure function of tensors, driven
//! by the reference library's configuration fields.

pub mod attention;
pub mod clip;
pub mod config;
pub mod conv_previewer;
pub mod efficientnet;
pub mod latent_encoder;
pub mod layers;
pub mod llava_onevision;
pub mod paella_vq;
pub mod preference_attention;
pub mod previewer;
pub mod qwen2;
pub mod siglip;
pub mod stable_cascade_unet;
pub mod transformer;

/// What a network cannot do with its inputs.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NetworkError {
    /// It answers something else than finite numbers.
    #[error(
        "{0} answers no finite numbers: its weights are damaged, or need more range; fetch them \
         again, or try --dtype f32"
    )]
    NotFinite(&'static str),
    /// A sequence is longer than the position embeddings reach.
    #[error("{network}: a sequence of {length} tokens, at most {most} are allowed")]
    TooLong {
        /// The network.
        network: &'static str,
        /// Tokens given.
        length: i64,
        /// Tokens allowed.
        most: i64,
    },
    /// A picture has another size than the positions were trained for.
    #[error("a picture of {height}×{width} pixels; the vision tower reads {side}×{side}")]
    PictureSize {
        /// Height in pixels.
        height: i64,
        /// Width in pixels.
        width: i64,
        /// Side it was trained on, in pixels.
        side: i64,
    },
    /// The prompt's image placeholders and the pictures' features do not match.
    #[error("the prompt has {placeholders} image placeholders, the pictures need {features}")]
    Placeholders {
        /// Image tokens in the prompt.
        placeholders: i64,
        /// Feature vectors of all pictures.
        features: i64,
    },
    /// The pictures' tensors do not fit together.
    #[error("the pictures do not fit together: {0}")]
    Pictures(String),
    /// The configuration or the weights do not fit.
    #[error(transparent)]
    Weights(#[from] crate::weights::WeightsError),
    /// libtorch refused an operation.
    #[error(transparent)]
    Torch(#[from] tch::TchError),
}
