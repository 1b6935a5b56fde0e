use std::io;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use image::{
    DynamicImage, ImageFormat, RgbImage,
    imageops::{self, FilterType},
};
use png::{BitDepth, ColorType, Compression, Encoder};

/// libwebp's quality for a picture asked for as WebP.
const WEBP_QUALITY: f32 = 90.0;

/// Squares along each side of a spoilt picture.
const SPOILT_SQUARES: u32 = 8;

/// Encodes a picture as PNG with text chunks: tEXt for ASCII, iTXt (UTF-8) for the rest.
///
/// # Errors
/// When a keyword or a text is not allowed in PNG.
pub fn encode_png(picture: &RgbImage, texts: &[(&str, String)]) -> io::Result<Vec<u8>> {
    encode(picture, texts, Compression::Balanced)
}

/// A preview as a `data:image/png;base64,` URL.
///
/// # Errors
/// When the picture has no pixels.
pub fn png_data_url(picture: &RgbImage) -> io::Result<String> {
    let png = encode(picture, &[], Compression::Fast)?;
    Ok(format!("data:image/png;base64,{}", STANDARD.encode(png)))
}

/// A stored PNG as lossy WebP, made smaller where a side has more than `longest` pixels.
///
/// # Errors
/// When the file is no PNG.
pub fn webp_of_png(png: &[u8], longest: Option<u32>) -> io::Result<Vec<u8>> {
    let picture = decode_png(png)?;
    match longest {
        Some(side) if picture.width().max(picture.height()) > side => {
            let smaller = DynamicImage::from(picture).resize(side, side, FilterType::Triangle);
            encode_webp(&smaller.into_rgb8())
        }
        _ => encode_webp(&picture),
    }
}

/// A stored PNG as a WebP of a few coarse squares, which nobody who looks can like better.
///
/// # Errors
/// When the file is no PNG.
pub fn spoil_png(png: &[u8]) -> io::Result<Vec<u8>> {
    let picture = decode_png(png)?;
    let coarse = imageops::resize(
        &picture,
        SPOILT_SQUARES,
        SPOILT_SQUARES,
        FilterType::Triangle,
    );
    let (width, height) = picture.dimensions();
    encode_webp(&imageops::resize(
        &coarse,
        width,
        height,
        FilterType::Nearest,
    ))
}

fn decode_png(png: &[u8]) -> io::Result<RgbImage> {
    image::load_from_memory_with_format(png, ImageFormat::Png)
        .map(DynamicImage::into_rgb8)
        .map_err(io::Error::other)
}

fn encode_webp(picture: &RgbImage) -> io::Result<Vec<u8>> {
    webp::Encoder::from_rgb(picture.as_raw(), picture.width(), picture.height())
        .encode_simple(false, WEBP_QUALITY)
        .map(|bytes| bytes.to_vec())
        .map_err(|error| io::Error::other(format!("libwebp refused the picture: {error:?}")))
}

fn encode(
    picture: &RgbImage,
    texts: &[(&str, String)],
    compression: Compression,
) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, picture.width(), picture.height());
    encoder.set_color(ColorType::Rgb);
    encoder.set_depth(BitDepth::Eight);
    encoder.set_compression(compression);
    for (keyword, text) in texts {
        if text.is_ascii() {
            encoder.add_text_chunk((*keyword).into(), text.clone())?;
        } else {
            encoder.add_itxt_chunk((*keyword).into(), text.clone())?;
        }
    }
    let mut writer = encoder.write_header()?;
    writer.write_image_data(picture.as_raw())?;
    writer.finish()?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_read_back_whatever_the_script() {
        let picture = RgbImage::from_pixel(4, 4, image::Rgb([1, 2, 3]));
        let texts = [
            ("prompt", "ein Käse 🧀".to_owned()),
            ("seed", "7".to_owned()),
        ];
        let bytes = encode_png(&picture, &texts).unwrap();
        let reader = png::Decoder::new(io::Cursor::new(&bytes))
            .read_info()
            .unwrap();
        let info = reader.info();
        assert_eq!(info.uncompressed_latin1_text[0].text, "7");
        assert_eq!(info.utf8_text[0].get_text().unwrap(), "ein Käse 🧀");
        let back = image::load_from_memory(&bytes).unwrap().into_rgb8();
        assert_eq!(back, picture);
        assert!(webp_of_png(&bytes, None).unwrap().starts_with(b"RIFF"));
        assert!(
            png_data_url(&picture)
                .unwrap()
                .starts_with("data:image/png;base64,iVBOR")
        );
    }

    #[test]
    fn a_thumbnail_keeps_the_shape_and_never_grows() {
        let size = |width, height| {
            let picture = RgbImage::from_pixel(width, height, image::Rgb([1, 2, 3]));
            let png = encode_png(&picture, &[]).unwrap();
            let webp = webp_of_png(&png, Some(32)).unwrap();
            let small = image::load_from_memory(&webp).unwrap();
            (small.width(), small.height())
        };
        assert_eq!(size(64, 48), (32, 24));
        assert_eq!(size(16, 16), (16, 16));
    }
}
