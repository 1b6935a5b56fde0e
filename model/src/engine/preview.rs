//! What a drawing looks like under way.

use image::RgbImage;
use image::imageops::{FilterType, resize};

use crate::networks::previewer::Previewer;
use crate::pipeline::{Drawing, Pipeline, View};
use crate::training::tensor_to_pictures;

/// A small picture of what `drawing` is going to be: from the prior's expectation by the
/// linear map, from the decoder's by Stage A.
pub(super) fn preview(pipeline: &Pipeline, previewer: &Previewer, drawing: &Drawing) -> RgbImage {
    let half = |picture: &RgbImage| {
        let (w, h) = (picture.width() / 2, picture.height() / 2);
        resize(picture, w, h, FilterType::Triangle)
    };
    let first = |pictures: Vec<RgbImage>| pictures.into_iter().next().unwrap_or_default();
    match drawing.view() {
        View::Prior(latent) => first(tensor_to_pictures(&tch::no_grad(|| {
            previewer.forward(latent)
        }))),
        View::Decoder(latent) => half(&first(tch::no_grad(|| pipeline.decode(latent)))),
        View::Done(picture) => half(picture),
    }
}
