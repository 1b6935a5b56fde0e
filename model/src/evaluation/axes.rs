//! The axes of a picture: what taste can be about, measured on pixels.
//!
//! [`measure`] gives raw values; [`AxisValues::normalised`] puts them on one scale by the mean
//! and standard deviation over the artwork and its variants (`predilect eval axes` prints them).
use image::RgbImage;
use serde::{Deserialize, Serialize};

/// One way in which pictures of the same thing differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Axis {
    /// From one colour or greys to many colours: Hasler and Süsstrunk's colourfulness
    /// (Measuring colourfulness in natural images, 2003) of the drawing without its background,
    /// `√(σ²rg + σ²yb) + 0.3 √(μ²rg + μ²yb)` on channels in 0..1.
    Colourfulness,
    /// From dark to light: mean luma of the picture, 0..1.
    Brightness,
    /// From cool (blue) to warm (red, yellow): mean of red minus blue, −1..1.
    Warmth,
    /// From soft borders to bold dark outlines: how much darker than mid-grey the drawing's
    /// outermost pixels are, on the mean, 0..1.
    Outline,
    /// From large plain areas to much fine detail: mean step to the neighbouring pixels within
    /// the drawing, at half size, 0..1.
    Detail,
    /// From flat colour to soft gradients: share of the drawing's pixels whose step to their
    /// neighbours is small but not nothing, at half size, 0..1.
    Shading,
    /// From a white background to a coloured one: mean distance of the rim's median colour from
    /// white, 0..1.
    Background,
    /// From a small drawing with space around it to one that fills the picture: share of pixels
    /// that differ from the background, 0..1.
    Fill,
    /// From lopsided to the same left and right: one less the mean difference of the drawing's
    /// pixels from those mirrored at the upright line through its centre, 0..1.
    Symmetry,
    /// From long or scattered to compact: `n² / (2π Σ r²)` of the drawing's `n` pixels at
    /// distances `r` from their centre; 1 for a disc (Žunić, Hirota and Rosin, A Hu moment invariant
    /// as a shape circularity measure, 2010).
    Compactness,
}

impl Axis {
    /// All axes, in the order of [`Axis::index`].
    pub const ALL: [Self; 10] = [
        Self::Colourfulness,
        Self::Brightness,
        Self::Warmth,
        Self::Outline,
        Self::Detail,
        Self::Shading,
        Self::Background,
        Self::Fill,
        Self::Symmetry,
        Self::Compactness,
    ];

    /// The axes that training may speak of, the first of [`Axis::ALL`]. The others are withheld from
    /// every text, label and trained person, so that people who want them tell whether a taste is
    /// learned that no training named.
    pub const TOLD: [Self; 8] = *Self::ALL.first_chunk().expect("more axes than are told of");

    /// Whether the axis is one of [`Axis::TOLD`].
    pub fn told(self) -> bool {
        Self::TOLD.contains(&self)
    }

    /// Position in [`Axis::ALL`].
    pub fn index(self) -> usize {
        self as usize
    }
}

/// A value on every axis, in the order of [`Axis::ALL`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct AxisValues(pub [f32; Axis::ALL.len()]);

impl std::ops::Index<Axis> for AxisValues {
    type Output = f32;
    fn index(&self, axis: Axis) -> &f32 {
        &self.0[axis.index()]
    }
}

/// Mean of each raw axis over the artwork, plain pictures and variants alike.
const MEANS: [f32; Axis::ALL.len()] = [
    0.261, 0.734, 0.055, 0.178, 0.073, 0.155, 0.149, 0.354, 0.797, 0.675,
];
/// Standard deviation of each raw axis over the same pictures.
const DEVIATIONS: [f32; Axis::ALL.len()] = [
    0.195, 0.180, 0.215, 0.245, 0.051, 0.159, 0.251, 0.168, 0.188, 0.240,
];
/// Normalised values end here, so that one odd picture does not outweigh all else.
const LIMIT: f32 = 3.0;

impl AxisValues {
    /// Raw values in standard deviations from the artwork's mean, within ±3.
    pub fn normalised(&self) -> Self {
        let mut out = *self;
        for (value, (mean, deviation)) in out.0.iter_mut().zip(MEANS.iter().zip(&DEVIATIONS)) {
            *value = ((*value - mean) / deviation).clamp(-LIMIT, LIMIT);
        }
        out
    }
}

impl AxisValues {
    /// The values that training may be told, in the order of [`Axis::TOLD`].
    pub fn told(&self) -> [f32; Axis::TOLD.len()] {
        Axis::TOLD.map(|axis| self[axis])
    }

    /// Euclidean distance over all axes.
    pub fn distance(&self, other: &Self) -> f32 {
        let squares = self.0.iter().zip(&other.0).map(|(a, b)| (a - b).powi(2));
        squares.sum::<f32>().sqrt()
    }
}

/// The two pictures, of two or more, that differ most.
pub fn farthest(pictures: &[AxisValues]) -> Option<(usize, usize)> {
    let distance = |&(a, b): &(usize, usize)| pictures[a].distance(&pictures[b]);
    (0..pictures.len())
        .flat_map(|a| (a + 1..pictures.len()).map(move |b| (a, b)))
        .max_by(|a, b| distance(a).total_cmp(&distance(b)))
}

/// Largest channel difference, 0..1, below which a pixel counts as background.
const BACKGROUND_TOLERANCE: f32 = 0.1;
/// Width of the rim that shows the background, in pixels.
const RIM: u32 = 2;
/// Luma, 0..1, at which an outline stops counting as dark.
const DARK: f32 = 0.45;
/// Steps between neighbours, 0..1, that count as a gradient: above noise, below an edge.
const GRADIENT: std::ops::Range<f32> = 0.012..0.08;

/// Measures all axes, raw. Any picture of at least 16×16 pixels will do; pictures are compared
/// at one size.
pub fn measure(picture: &RgbImage) -> AxisValues {
    let view = View::new(picture);
    let mut values = AxisValues([0.0; Axis::ALL.len()]);
    for axis in Axis::ALL {
        values.0[axis.index()] = view.value(axis);
    }
    values
}

/// Mean and standard deviation of every raw axis over these pictures, in the order of
/// [`Axis::ALL`]: what the normalisation is made from.
pub fn statistics(values: &[AxisValues]) -> [(f32, f32); Axis::ALL.len()] {
    Axis::ALL.map(|axis| {
        let mean = mean(values.iter().map(|v| v[axis]));
        let variance = self::mean(values.iter().map(|v| (v[axis] - mean).powi(2)));
        (mean, variance.sqrt())
    })
}

/// Pearson's correlation of every two raw axes over these pictures, in the order of [`Axis::ALL`].
pub fn correlations(values: &[AxisValues]) -> [[f32; Axis::ALL.len()]; Axis::ALL.len()] {
    let statistics = statistics(values);
    Axis::ALL.map(|a| {
        Axis::ALL.map(|b| {
            let apart = |v: &AxisValues, axis: Axis| v[axis] - statistics[axis.index()].0;
            let covariance = mean(values.iter().map(|v| apart(v, a) * apart(v, b)));
            covariance / (statistics[a.index()].1 * statistics[b.index()].1)
        })
    })
}

/// A picture taken apart once for all axes.
struct View {
    width: usize,
    height: usize,
    pixels: Vec<[f32; 3]>,
    background: [f32; 3],
    drawing: Vec<bool>,
    /// Step to the right and lower neighbours at half size, for pixels within the drawing.
    steps: Vec<f32>,
}

impl View {
    fn new(picture: &RgbImage) -> Self {
        let (width, height) = (picture.width() as usize, picture.height() as usize);
        let pixels: Vec<[f32; 3]> = picture
            .pixels()
            .map(|p| p.0.map(|channel| f32::from(channel) / 255.0))
            .collect();
        let background = rim_colour(picture);
        let drawing: Vec<bool> = pixels
            .iter()
            .map(|p| difference(p, &background) > BACKGROUND_TOLERANCE)
            .collect();
        let steps = steps(width, height, &pixels, &drawing);
        Self {
            width,
            height,
            pixels,
            background,
            drawing,
            steps,
        }
    }

    fn value(&self, axis: Axis) -> f32 {
        match axis {
            Axis::Colourfulness => self.colourfulness(),
            Axis::Brightness => mean(self.pixels.iter().map(luma)),
            Axis::Warmth => mean(self.pixels.iter().map(|p| p[0] - p[2])),
            Axis::Outline => self.outline(),
            Axis::Detail => mean(self.steps.iter().copied()),
            Axis::Shading => mean(
                self.steps
                    .iter()
                    .map(|step| f32::from(u8::from(GRADIENT.contains(step)))),
            ),
            Axis::Background => mean(self.background.iter().map(|channel| 1.0 - channel)),
            Axis::Fill => mean(self.drawing.iter().map(|&drawn| f32::from(u8::from(drawn)))),
            Axis::Symmetry => self.symmetry(),
            Axis::Compactness => self.compactness(),
        }
    }

    /// Places of the drawing's pixels.
    fn places(&self) -> impl Iterator<Item = (usize, usize)> {
        let drawn = self.drawing.iter().enumerate();
        drawn.filter_map(|(i, drawn)| drawn.then_some((i % self.width, i / self.width)))
    }

    fn symmetry(&self) -> f32 {
        let twice_centre = (2.0 * mean(self.places().map(|(x, _)| x as f32))).round() as usize;
        let differences = self.places().map(|(x, y)| {
            let mirrored = twice_centre.checked_sub(x).filter(|&x| x < self.width);
            let other = mirrored.map_or(&self.background, |x| &self.pixels[y * self.width + x]);
            difference(&self.pixels[y * self.width + x], other)
        });
        1.0 - mean(differences)
    }

    /// A pixel is a square, not a point: 1/6 is what its own area adds to r².
    fn compactness(&self) -> f32 {
        let count = self.places().count() as f32;
        let centre_x = mean(self.places().map(|(x, _)| x as f32));
        let centre_y = mean(self.places().map(|(_, y)| y as f32));
        let squares = self.places().map(|(x, y)| {
            (x as f32 - centre_x).powi(2) + (y as f32 - centre_y).powi(2) + 1.0 / 6.0
        });
        match count > 0.0 {
            true => count / (std::f32::consts::TAU * mean(squares)),
            false => 0.0,
        }
    }

    fn colourfulness(&self) -> f32 {
        let opponent = |p: &[f32; 3]| (p[0] - p[1], (p[0] + p[1]) / 2.0 - p[2]);
        let drawn = || {
            self.pixels
                .iter()
                .zip(&self.drawing)
                .filter(|(_, drawn)| **drawn)
        };
        let rg = || drawn().map(|(p, _)| opponent(p).0);
        let yb = || drawn().map(|(p, _)| opponent(p).1);
        let (rg_mean, yb_mean) = (mean(rg()), mean(yb()));
        let rg_variance = mean(rg().map(|v| (v - rg_mean).powi(2)));
        let yb_variance = mean(yb().map(|v| (v - yb_mean).powi(2)));
        (rg_variance + yb_variance).sqrt() + 0.3 * rg_mean.hypot(yb_mean)
    }

    /// Two steps of erosion find the outermost pixels; an anti-aliased outline is wider than one.
    fn outline(&self) -> f32 {
        let mut inner = self.drawing.clone();
        for _ in 0..2 {
            inner = self.eroded(&inner);
        }
        let rim = self.pixels.iter().zip(&self.drawing).zip(&inner);
        mean(
            rim.filter(|((_, drawn), inner)| **drawn && !**inner)
                .map(|((p, _), _)| ((DARK - luma(p)) / DARK).max(0.0)),
        )
    }

    fn eroded(&self, mask: &[bool]) -> Vec<bool> {
        let at = |x: usize, y: usize| mask[y * self.width + x];
        (0..mask.len())
            .map(|i| {
                let (x, y) = (i % self.width, i / self.width);
                at(x, y)
                    && (x == 0 || at(x - 1, y))
                    && (y == 0 || at(x, y - 1))
                    && (x + 1 == self.width || at(x + 1, y))
                    && (y + 1 == self.height || at(x, y + 1))
            })
            .collect()
    }
}

/// Median colour of the picture's rim.
fn rim_colour(picture: &RgbImage) -> [f32; 3] {
    let (width, height) = picture.dimensions();
    let on_rim = |x: u32, y: u32| x < RIM || y < RIM || x + RIM >= width || y + RIM >= height;
    let mut channels: [Vec<u8>; 3] = Default::default();
    for (_, _, pixel) in picture.enumerate_pixels().filter(|&(x, y, _)| on_rim(x, y)) {
        for (list, &value) in channels.iter_mut().zip(&pixel.0) {
            list.push(value);
        }
    }
    channels.map(|mut values| {
        values.sort_unstable();
        values
            .get(values.len() / 2)
            .map_or(1.0, |&value| f32::from(value) / 255.0)
    })
}

/// Steps at half size: averaging four pixels takes out the noise that generated pictures have.
fn steps(width: usize, height: usize, pixels: &[[f32; 3]], drawing: &[bool]) -> Vec<f32> {
    let (w, h) = (width / 2, height / 2);
    let four = |x: usize, y: usize| {
        let i = 2 * y * width + 2 * x;
        [i, i + 1, i + width, i + width + 1]
    };
    let mut half = Vec::with_capacity(w * h);
    let mut within = Vec::with_capacity(w * h);
    for (x, y) in (0..h).flat_map(|y| (0..w).map(move |x| (x, y))) {
        let places = four(x, y);
        half.push([0, 1, 2].map(|c| places.iter().map(|&i| pixels[i][c]).sum::<f32>() / 4.0));
        within.push(places.iter().all(|&i| drawing[i]));
    }
    let mut out = Vec::new();
    for y in 0..h.saturating_sub(1) {
        for x in 0..w.saturating_sub(1) {
            let (here, right, below) = (y * w + x, y * w + x + 1, (y + 1) * w + x);
            if within[here] && within[right] && within[below] {
                let step = difference(&half[here], &half[right]);
                out.push(step.max(difference(&half[here], &half[below])));
            }
        }
    }
    out
}

fn luma(p: &[f32; 3]) -> f32 {
    0.299 * p[0] + 0.587 * p[1] + 0.114 * p[2]
}

/// Largest difference of a channel.
fn difference(a: &[f32; 3], b: &[f32; 3]) -> f32 {
    a.iter()
        .zip(b)
        .map(|(a, b)| (a - b).abs())
        .fold(0.0, f32::max)
}

/// Mean, 0 for nothing: a picture without a drawing has no colour, outline or detail.
fn mean(values: impl Iterator<Item = f32>) -> f32 {
    let (sum, count) = values.fold((0.0_f64, 0_u32), |(sum, n), v| (sum + f64::from(v), n + 1));
    if count == 0 {
        0.0
    } else {
        (sum / f64::from(count)) as f32
    }
}

#[cfg(test)]
mod tests {
    use image::Rgb;

    use super::*;

    const WHITE: Rgb<u8> = Rgb([255, 255, 255]);

    /// A disc of `radius` pixels, coloured by position, on a plain background.
    fn disc(radius: f32, background: Rgb<u8>, ink: impl Fn(f32, f32) -> Rgb<u8>) -> RgbImage {
        RgbImage::from_fn(128, 128, |x, y| {
            let (x, y) = (x as f32 - 63.5, y as f32 - 63.5);
            if x.hypot(y) < radius {
                ink(x, y)
            } else {
                background
            }
        })
    }

    fn plain(colour: [u8; 3]) -> impl Fn(f32, f32) -> Rgb<u8> {
        move |_, _| Rgb(colour)
    }

    #[test]
    fn an_empty_picture_is_bright_and_has_nothing_else() {
        let values = measure(&RgbImage::from_pixel(128, 128, WHITE));
        assert_eq!(values[Axis::Brightness], 1.0);
        for axis in [
            Axis::Colourfulness,
            Axis::Outline,
            Axis::Detail,
            Axis::Fill,
            Axis::Background,
            Axis::Compactness,
        ] {
            assert_eq!(values[axis], 0.0, "{axis:?}");
        }
    }

    #[test]
    fn the_axes_training_may_speak_of_come_first_and_two_are_withheld() {
        assert_eq!(Axis::ALL[..Axis::TOLD.len()], Axis::TOLD);
        let withheld = Axis::ALL.into_iter().filter(|axis| !axis.told());
        assert!(withheld.eq([Axis::Symmetry, Axis::Compactness]));
    }

    #[test]
    fn each_axis_rises_with_what_it_is_named_after() {
        let red = [220, 40, 40];
        let base = measure(&disc(40.0, WHITE, plain(red)));
        let halves = |x: f32, _: f32| {
            if x < 0.0 {
                Rgb(red)
            } else {
                Rgb([40, 60, 220])
            }
        };
        let stripes = |x: f32, _: f32| {
            if (x / 4.0).floor() as i32 % 2 == 0 {
                Rgb(red)
            } else {
                Rgb([250, 220, 90])
            }
        };
        let ringed = |x: f32, y: f32| {
            if x.hypot(y) > 36.0 {
                Rgb([0, 0, 0])
            } else {
                Rgb(red)
            }
        };
        let gradient = |x: f32, _: f32| Rgb([200, (100.0 + 2.0 * x) as u8, 60]);
        let more = [
            (Axis::Colourfulness, disc(40.0, WHITE, halves)),
            (Axis::Brightness, disc(40.0, WHITE, plain([250, 200, 200]))),
            (Axis::Warmth, disc(40.0, Rgb([250, 200, 120]), plain(red))),
            (Axis::Outline, disc(40.0, WHITE, ringed)),
            (Axis::Detail, disc(40.0, WHITE, stripes)),
            (Axis::Shading, disc(40.0, WHITE, gradient)),
            (
                Axis::Background,
                disc(40.0, Rgb([90, 160, 250]), plain(red)),
            ),
            (Axis::Fill, disc(60.0, WHITE, plain(red))),
        ];
        for (axis, picture) in more {
            let value = measure(&picture)[axis];
            assert!(
                value > base[axis] + 0.02,
                "{axis:?}: {value} against {}",
                base[axis]
            );
        }
    }

    #[test]
    fn what_is_mirrored_is_symmetric_and_a_disc_is_compact_wherever_it_lies() {
        let bar = RgbImage::from_fn(128, 128, |x, y| {
            match (20..108).contains(&x) && (50..60).contains(&y) {
                true => Rgb([30, 90, 200]),
                false => WHITE,
            }
        });
        let moved = RgbImage::from_fn(128, 128, |x, y| {
            match (x as f32 - 40.0).hypot(y as f32 - 70.0) < 25.0 {
                true => Rgb([30, 90, 200]),
                false => WHITE,
            }
        });
        let lopsided = disc(40.0, WHITE, |x, _| match x < 0.0 {
            true => Rgb([20, 20, 20]),
            false => Rgb([240, 200, 40]),
        });
        let [bar, moved, lopsided] = [bar, moved, lopsided].map(|picture| measure(&picture));
        assert!(moved[Axis::Symmetry] > 0.98 && bar[Axis::Symmetry] > 0.98);
        assert!(lopsided[Axis::Symmetry] < 0.5);
        assert!((moved[Axis::Compactness] - 1.0).abs() < 0.02);
        assert!((lopsided[Axis::Compactness] - 1.0).abs() < 0.02);
        assert!(bar[Axis::Compactness] < 0.3);
    }

    #[test]
    fn size_of_the_picture_hardly_matters() {
        let picture = disc(40.0, WHITE, plain([30, 140, 200]));
        let small =
            image::imageops::resize(&picture, 64, 64, image::imageops::FilterType::Triangle);
        let (a, b) = (measure(&picture), measure(&small));
        for axis in [Axis::Brightness, Axis::Warmth, Axis::Fill, Axis::Background] {
            assert!((a[axis] - b[axis]).abs() < 0.03, "{axis:?}");
        }
    }
}
