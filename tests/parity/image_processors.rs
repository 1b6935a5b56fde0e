//! Image processors against transformers, to 1/255 in what the networks read. The cases are made
//! by `generate_image_processors.py`.

use image::RgbImage;
use predilect_model::image_processor::ImageProcessor;
use tch::{Device, Kind, Tensor};

use super::{folders, open};

const LARGEST_DIFFERENCE: f64 = 1.0 / 255.0;

/// `[h, w, 3]` u8 as a picture.
fn picture(pixels: &Tensor) -> RgbImage {
    let size = pixels.size();
    let mut bytes = vec![0; pixels.numel()];
    let count = bytes.len();
    pixels.copy_data(&mut bytes, count);
    RgbImage::from_raw(size[1] as u32, size[0] as u32, bytes).expect("three bytes a pixel")
}

#[test]
fn image_processors_answer_as_transformers() {
    for folder in folders("image_processor") {
        let (inputs, wanted) = (open(&folder, "inputs"), open(&folder, "outputs"));
        let tensor = |name: &str| wanted.tensor(name, Device::Cpu).expect("an output");
        let pictures: Vec<RgbImage> = (0..)
            .map(|i| format!("picture_{i}"))
            .take_while(|name| inputs.contains(name))
            .map(|name| picture(&inputs.tensor(&name, Device::Cpu).expect("an input")))
            .collect();
        let got = match ImageProcessor::open(&folder).expect("a processor") {
            ImageProcessor::Single(processor) => {
                let each: Vec<Tensor> = pictures.iter().map(|p| processor.process(p)).collect();
                Tensor::stack(&each, 0)
            }
            ImageProcessor::Anyres(processor) => {
                let all: Vec<&RgbImage> = pictures.iter().collect();
                let answer = processor.conversation(&all);
                let sizes: Vec<i64> = answer.image_sizes.iter().flat_map(|s| [s.0, s.1]).collect();
                let flat = tensor("image_sizes").flatten(0, 1);
                assert_eq!(Vec::<i64>::try_from(flat).expect("integers"), sizes);
                answer.pixel_values
            }
        };
        let wanted = tensor("pixel_values");
        assert_eq!(got.size(), wanted.size(), "{}", folder.display());
        assert_eq!(got.kind(), Kind::Float);
        let difference = (got - wanted).abs().max().double_value(&[]);
        println!("{}: {difference:.1e}", folder.display());
        assert!(
            difference <= LARGEST_DIFFERENCE,
            "{}: {difference}",
            folder.display()
        );
    }
}
