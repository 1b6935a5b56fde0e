//! The embedding depends on what a person saw and chose, not on how the pictures were stored.
#![allow(
    clippy::unwrap_used,
    reason = "a helper of a test that panics has failed the test"
)]

use image::codecs::jpeg::JpegEncoder;
use image::{DynamicImage, ImageFormat, Rgb, RgbImage};
use predilect_model::data::tokenizer::{IMAGE, Tokenizer, train};
use predilect_model::evaluation::taste;
use predilect_model::networks::llava_onevision::LlavaOnevision;
use predilect_model::preference::conversation::{PreferencePair, prompt};
use predilect_model::preference::embedding::{PreferenceEmbedder, PreferenceEmbedding};
use predilect_model::training::preset;
use predilect_model::weights::Params;
use tch::{Device, Kind};

const CAPTIONS: [&str; 4] = ["an apple", "a house", "a dog", "a boat"];

fn tokenizer() -> Tokenizer {
    let mut texts = taste::vocabulary();
    texts.push(prompt(CAPTIONS));
    train([texts.clone(), texts].concat()).expect("a tokenizer")
}

/// The mini's architecture with weights from a seed: what is tested here holds for any weights.
fn embedder() -> PreferenceEmbedder {
    tch::set_num_threads(1);
    let tokenizer = tokenizer();
    let image = tokenizer.id(IMAGE).expect("the image token");
    let config = preset::vlm(tokenizer.vocabulary_size() as i64, image);
    let params = Params::random(3, Kind::Float, Device::Cpu);
    let model = LlavaOnevision::new(&params, config).expect("a model");
    PreferenceEmbedder::new(model, tokenizer, Device::Cpu).expect("an embedder")
}

#[test]
fn words_that_a_model_has_no_place_for_are_refused() {
    let tokenizer = tokenizer();
    let tokens = tokenizer.vocabulary_size() as i64;
    let image = tokenizer.id(IMAGE).expect("the image token");
    let params = Params::random(3, Kind::Float, Device::Cpu);
    let model = LlavaOnevision::new(&params, preset::vlm(tokens - 1, image)).expect("a model");
    let refused = PreferenceEmbedder::new(model, tokenizer, Device::Cpu).map(drop);
    let said = refused.expect_err("one token too many").to_string();
    let (highest, known) = (
        format!("up to {}", tokens - 1),
        format!("knows {}", tokens - 1),
    );
    assert!(said.contains(&highest) && said.contains(&known), "{said}");
}

#[test]
fn a_model_that_answers_no_numbers_makes_no_embedding() {
    let tokenizer = tokenizer();
    let image = tokenizer.id(IMAGE).expect("the image token");
    let config = preset::vlm(tokenizer.vocabulary_size() as i64, image);
    let params = Params::random(3, Kind::Float, Device::Cpu);
    let model = LlavaOnevision::new(&params, config).expect("a model");
    let taken = params.taken();
    let norm = taken.iter().find(|p| p.name.ends_with("model.norm.weight"));
    let mut norm = norm.expect("the last norm").tensor.shallow_clone();
    let _ = tch::no_grad(|| norm.fill_(f64::NAN));
    let embedder = PreferenceEmbedder::new(model, tokenizer, Device::Cpu).expect("an embedder");
    let said = embedder
        .embed(&pairs())
        .expect_err("no numbers")
        .to_string();
    assert!(said.contains("no finite numbers"), "{said}");
}

/// A soft disc on a gradient, different for each number.
fn picture(number: u32) -> RgbImage {
    RgbImage::from_fn(128, 128, |x, y| {
        let (dx, dy) = (x as f32 - 40.0 - 5.0 * number as f32, y as f32 - 64.0);
        let inside = ((30.0 - (dx * dx + dy * dy).sqrt()) / 6.0).clamp(0.0, 1.0);
        let ground = [(x + 10 * number), 255 - y, 90 + 15 * number];
        let disc = [200 - 20 * number, 25 * number, 60];
        let mix = |channel: usize| {
            (ground[channel] as f32 * (1.0 - inside) + disc[channel] as f32 * inside) as u8
        };
        Rgb([mix(0), mix(1), mix(2)])
    })
}

fn pairs() -> Vec<PreferencePair> {
    let pair = |(i, caption): (usize, &&str)| PreferencePair {
        caption: (*caption).to_owned(),
        preferred: picture(2 * i as u32),
        rejected: picture(2 * i as u32 + 1),
    };
    CAPTIONS.iter().enumerate().map(pair).collect()
}

fn stored_as(picture: &RgbImage, format: ImageFormat) -> RgbImage {
    let mut bytes = Vec::new();
    match format {
        ImageFormat::Jpeg => {
            let mut encoder = JpegEncoder::new_with_quality(&mut bytes, 95);
            encoder.encode_image(picture).expect("a JPEG");
        }
        ImageFormat::WebP => {
            let encoder = webp::Encoder::from_rgb(picture, picture.width(), picture.height());
            bytes.extend_from_slice(&encoder.encode(95.0));
        }
        _ => DynamicImage::from(picture.clone())
            .write_to(&mut std::io::Cursor::new(&mut bytes), format)
            .expect("an encoded picture"),
    }
    image::load_from_memory(&bytes)
        .expect("a readable picture")
        .into_rgb8()
}

/// ‖a−b‖₂/‖b‖₂ of the hidden states.
fn distance(a: &PreferenceEmbedding, b: &PreferenceEmbedding) -> f64 {
    let norm = |x: tch::Tensor| x.square().sum(Kind::Double).sqrt().double_value(&[]);
    norm(a.hidden() - b.hidden()) / norm(b.hidden())
}

#[test]
fn copies_stored_in_another_format_give_the_same_embedding() {
    let embedder = embedder();
    let pairs = pairs();
    let embedding = embedder.embed(&pairs).expect("an embedding");
    for (format, tolerance) in [
        (ImageFormat::Png, 0.0),
        (ImageFormat::WebP, 0.02),
        (ImageFormat::Jpeg, 0.02),
    ] {
        let copies: Vec<PreferencePair> = pairs
            .iter()
            .map(|pair| PreferencePair {
                caption: pair.caption.clone(),
                preferred: stored_as(&pair.preferred, format),
                rejected: stored_as(&pair.rejected, format),
            })
            .collect();
        let copy = embedder.embed(&copies).expect("an embedding");
        assert_eq!(copy.description, embedding.description, "{format:?}");
        let distance = distance(&copy, &embedding);
        println!("{format:?}: {distance:.1e}");
        assert!(distance <= tolerance, "{format:?}: off by {distance}");
    }
}

#[test]
fn opposite_choices_and_other_captions_give_other_embeddings() {
    let embedder = embedder();
    let pairs = pairs();
    let embedding = embedder.embed(&pairs).expect("an embedding");
    let mirrored: Vec<PreferencePair> = pairs
        .iter()
        .map(|pair| PreferencePair {
            caption: pair.caption.clone(),
            preferred: pair.rejected.clone(),
            rejected: pair.preferred.clone(),
        })
        .collect();
    let mut renamed = pairs.clone();
    renamed[0].caption = "a boat".into();
    for other in [mirrored, renamed] {
        assert!(distance(&embedder.embed(&other).expect("an embedding"), &embedding) > 0.0);
    }
    assert!(embedder.embed(&[]).is_err());
}

#[test]
fn the_shape_is_one_row_for_the_input_and_each_layer() {
    let embedding = embedder().embed(&pairs()).expect("an embedding");
    assert_eq!(embedding.hidden().size(), [5, 192]);
}

#[test]
fn people_read_together_are_read_as_each_alone() {
    let embedder = embedder();
    let all = pairs();
    // Conversations of different lengths, so that the shorter ones are filled up.
    let people = [&all[..], &all[..2], &all[1..]];
    let together = embedder.embed_all(&people).expect("embeddings");
    for (pairs, embedding) in people.iter().zip(&together) {
        let alone = embedder.embed(pairs).expect("an embedding");
        assert_eq!(embedding.description, alone.description);
        let distance = distance(embedding, &alone);
        assert!(distance < 1e-5, "off by {distance}");
    }
    assert!(embedder.embed_all(&[&all[..], &[]]).is_err());
}
