//! Augmented variants of the artwork: background, tint, palette shift and scale.
//!
//! They give taste more to choose between than the styles alone do.
use image::RgbImage;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::PICTURE_SIZE;
use super::colours::{COLOURS, NamedColour};

/// What was changed in a picture.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Variant {
    /// The background where it is not white.
    pub background: Option<&'static NamedColour>,
    /// The one colour a mono picture is drawn in, where it is not its own.
    pub tint: Option<&'static NamedColour>,
    /// Rotation of all hues, in degrees; 0 leaves the palette.
    pub hue_degrees: f32,
    /// Size of the drawing relative to the artwork, in (0, 1].
    pub scale: f32,
}

/// Lightness two colours must differ by to be told apart, on the scale of [`NamedColour::luma`].
const CONTRAST: f32 = 0.3;

impl Variant {
    /// The picture as it is, on white.
    pub const PLAIN: Self = Self {
        background: None,
        tint: None,
        hue_degrees: 0.0,
        scale: 1.0,
    };

    /// Variant `k` of picture `picture`: plain for 0, else drawn from a generator seeded by both.
    pub fn draw(picture: u64, k: u64, mono: bool) -> Self {
        if k == 0 {
            return Self::PLAIN;
        }
        let seed = picture.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(k);
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut variant = Self::PLAIN;
        if rng.random_bool(0.5) {
            variant.background = Some(any_colour(&mut rng));
        }
        if mono && rng.random_bool(0.5) {
            variant.tint = Some(any_colour(&mut rng));
        }
        if !mono && rng.random_bool(0.2) {
            variant.hue_degrees = rng.random_range(30.0..330.0);
        }
        if rng.random_bool(0.3) {
            variant.scale = rng.random_range(0.6..0.95);
        }
        while mono && !variant.readable() {
            variant.background = Some(any_colour(&mut rng));
        }
        variant
    }

    /// Whether a one-colour drawing stands out from its background.
    fn readable(&self) -> bool {
        let ink = self.tint.map_or(0.0, NamedColour::luma);
        let ground = self.background.map_or(1.0, NamedColour::luma);
        (ink - ground).abs() >= CONTRAST
    }

    /// Applies the change to 128×128 RGBA8 straight-alpha pixels.
    pub fn apply(&self, rgba: &[u8]) -> RgbImage {
        let background = self.background.map_or([255; 3], |colour| colour.rgb);
        if *self
            == (Self {
                background: self.background,
                ..Self::PLAIN
            })
        {
            return over(rgba, background);
        }
        let rotation = (self.hue_degrees != 0.0).then(|| hue_rotation(self.hue_degrees));
        let side = PICTURE_SIZE as f32;
        RgbImage::from_fn(PICTURE_SIZE, PICTURE_SIZE, |x, y| {
            let place = |p: u32| (p as f32 + 0.5 - side / 2.0) / self.scale + side / 2.0 - 0.5;
            let [mut r, mut g, mut b, alpha] = sample(rgba, place(x), place(y));
            if let Some(tint) = self.tint {
                [r, g, b] = tint.rgb.map(|channel| f32::from(channel) * alpha);
            }
            if let Some(m) = rotation {
                [r, g, b] =
                    m.map(|row| (row[0] * r + row[1] * g + row[2] * b).clamp(0.0, 255.0 * alpha));
            }
            let mix = |c: f32, ground: u8| (c + f32::from(ground) * (1.0 - alpha)).round() as u8;
            image::Rgb([
                mix(r, background[0]),
                mix(g, background[1]),
                mix(b, background[2]),
            ])
        })
    }
}

/// Lays 128×128 RGBA8 straight-alpha pixels over a background colour.
pub(super) fn over(rgba: &[u8], background: [u8; 3]) -> RgbImage {
    let mut out = Vec::with_capacity(rgba.len() / 4 * 3);
    for pixel in rgba.chunks_exact(4) {
        let alpha = u32::from(pixel[3]);
        for (&channel, &ground) in pixel[..3].iter().zip(&background) {
            let mixed = u32::from(channel) * alpha + u32::from(ground) * (255 - alpha);
            out.push(((mixed + 127) / 255) as u8);
        }
    }
    RgbImage::from_raw(PICTURE_SIZE, PICTURE_SIZE, out).expect("three bytes a pixel were written")
}

/// Bilinear sample: premultiplied red, green, blue in 0..255 and alpha in 0..1.
/// Outside the picture everything is transparent.
fn sample(rgba: &[u8], x: f32, y: f32) -> [f32; 4] {
    let (left, top) = (x.floor(), y.floor());
    let (fx, fy) = (x - left, y - top);
    let mut sum = [0.0; 4];
    for (dx, dy, weight) in [
        (0, 0, (1.0 - fx) * (1.0 - fy)),
        (1, 0, fx * (1.0 - fy)),
        (0, 1, (1.0 - fx) * fy),
        (1, 1, fx * fy),
    ] {
        let (px, py) = (left as i32 + dx, top as i32 + dy);
        let size = PICTURE_SIZE as i32;
        if (0..size).contains(&px) && (0..size).contains(&py) {
            let at = ((py * size + px) * 4) as usize;
            let alpha = f32::from(rgba[at + 3]) / 255.0 * weight;
            for channel in 0..3 {
                sum[channel] += f32::from(rgba[at + channel]) * alpha;
            }
            sum[3] += alpha;
        }
    }
    sum
}

fn any_colour(rng: &mut ChaCha8Rng) -> &'static NamedColour {
    &COLOURS[rng.random_range(0..COLOURS.len())]
}

/// Rotation about the grey axis of RGB (Rodrigues' formula), which leaves greys as they are.
fn hue_rotation(degrees: f32) -> [[f32; 3]; 3] {
    let (sin, cos) = degrees.to_radians().sin_cos();
    let third = (1.0 - cos) / 3.0;
    let skew = sin / 3.0_f32.sqrt();
    [
        [cos + third, third - skew, third + skew],
        [third + skew, cos + third, third - skew],
        [third - skew, third + skew, cos + third],
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variant_zero_is_plain_and_others_never_change() {
        assert_eq!(Variant::draw(7, 0, true), Variant::PLAIN);
        for k in 1..200 {
            assert_eq!(Variant::draw(7, k, true), Variant::draw(7, k, true));
        }
        assert!((1..50).any(|k| Variant::draw(7, k, false) != Variant::draw(8, k, false)));
    }

    #[test]
    fn mono_drawings_always_stand_out() {
        assert!((1..500).all(|k| Variant::draw(3, k, true).readable()));
    }

    #[test]
    fn a_grey_picture_survives_a_palette_shift() {
        let rgba = [120_u8, 120, 120, 255].repeat((PICTURE_SIZE * PICTURE_SIZE) as usize);
        let variant = Variant {
            hue_degrees: 140.0,
            ..Variant::PLAIN
        };
        assert!(
            variant
                .apply(&rgba)
                .pixels()
                .all(|p| p.0.iter().all(|&c| c.abs_diff(120) <= 1))
        );
    }

    #[test]
    fn a_smaller_drawing_shows_more_background() {
        let rgba = [0_u8, 0, 0, 255].repeat((PICTURE_SIZE * PICTURE_SIZE) as usize);
        let variant = Variant {
            background: Some(&COLOURS[0]),
            scale: 0.5,
            ..Variant::PLAIN
        };
        let picture = variant.apply(&rgba);
        assert_eq!(picture.get_pixel(3, 3).0, COLOURS[0].rgb);
        assert_eq!(picture.get_pixel(64, 64).0, [0, 0, 0]);
    }
}
