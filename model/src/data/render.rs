//! Turning a drawing into 128×128 straight-alpha pixels.
use image::RgbaImage;
use image::imageops::FilterType;
use resvg::tiny_skia::{FillRule, Paint, PathBuilder, Pixmap, Transform};
use resvg::usvg;

use super::PICTURE_SIZE;
use super::join::Drawing;
use crate::refusal::catch_panic;

/// Empty rim around a picture, in pixels, so that no drawing touches the border.
const MARGIN: f32 = 5.0;

/// Why a picture was left out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Broken {
    #[error("{0}")]
    Unreadable(String),
    #[error("nothing is drawn")]
    Empty,
    #[error("the renderer gave up: {0}")]
    Renderer(String),
}

/// Runs a renderer, for which a picture may be too much: what it makes of one must not cost the
/// others.
fn guarded<T>(render: impl FnOnce() -> Result<T, Broken>) -> Result<T, Broken> {
    catch_panic(render).map_err(Broken::Renderer)?
}

/// Renders a drawing to `PICTURE_SIZE`² RGBA8 with straight alpha.
///
/// `font` is the style's font, needed for glyphs only.
pub(crate) fn render(drawing: &Drawing, font: Option<&[u8]>) -> Result<RgbaImage, Broken> {
    let picture = guarded(|| match drawing {
        Drawing::Svg(svg) => render_svg(svg),
        Drawing::Raster(bytes) => render_raster(bytes),
        Drawing::Glyph(point) => {
            let font = font.ok_or_else(|| Broken::Unreadable("the style has no font".into()))?;
            render_glyph(*point, font)
        }
    })?;
    if picture.pixels().any(|pixel| pixel.0[3] > 32) {
        Ok(picture)
    } else {
        Err(Broken::Empty)
    }
}

fn render_svg(svg: &str) -> Result<RgbaImage, Broken> {
    let tree = usvg::Tree::from_str(svg, &usvg::Options::default()).map_err(unreadable)?;
    let (width, height) = (tree.size().width(), tree.size().height());
    let mut pixmap = pixmap();
    let scale = inner_side() / width.max(height);
    let side = PICTURE_SIZE as f32;
    let transform = Transform::from_row(
        scale,
        0.0,
        0.0,
        scale,
        (side - scale * width) / 2.0,
        (side - scale * height) / 2.0,
    );
    resvg::render(&tree, transform, &mut pixmap.as_mut());
    Ok(straight(&pixmap))
}

fn render_raster(bytes: &[u8]) -> Result<RgbaImage, Broken> {
    let picture = image::load_from_memory(bytes)
        .map_err(unreadable)?
        .to_rgba8();
    Ok(fit(&picture))
}

/// Fits a picture into the set's frame, filtering in premultiplied alpha so that the colour of
/// fully transparent pixels does not bleed in.
fn fit(picture: &RgbaImage) -> RgbaImage {
    let mut premultiplied = picture.clone();
    for pixel in premultiplied.pixels_mut() {
        let alpha = u32::from(pixel.0[3]);
        for channel in &mut pixel.0[..3] {
            *channel = ((u32::from(*channel) * alpha + 127) / 255) as u8;
        }
    }
    let inner = inner_side();
    let scale = inner / picture.width().max(picture.height()) as f32;
    let width = (picture.width() as f32 * scale).round().max(1.0) as u32;
    let height = (picture.height() as f32 * scale).round().max(1.0) as u32;
    let small = image::imageops::resize(&premultiplied, width, height, FilterType::CatmullRom);
    let mut out = RgbaImage::new(PICTURE_SIZE, PICTURE_SIZE);
    let (left, top) = ((PICTURE_SIZE - width) / 2, (PICTURE_SIZE - height) / 2);
    for (x, y, pixel) in small.enumerate_pixels() {
        let alpha = u32::from(pixel.0[3]);
        if alpha > 0 {
            let channel = |c: u8| ((u32::from(c) * 255 + alpha / 2) / alpha).min(255) as u8;
            let [r, g, b, a] = pixel.0;
            out.put_pixel(
                left + x,
                top + y,
                image::Rgba([channel(r), channel(g), channel(b), a]),
            );
        }
    }
    out
}

fn render_glyph(point: char, font: &[u8]) -> Result<RgbaImage, Broken> {
    let face = ttf_parser::Face::parse(font, 0).map_err(unreadable)?;
    let glyph = face.glyph_index(point).ok_or(Broken::Empty)?;
    let mut outline = Outline(PathBuilder::new());
    let bounds = face
        .outline_glyph(glyph, &mut outline)
        .ok_or(Broken::Empty)?;
    let path = outline.0.finish().ok_or(Broken::Empty)?;
    let (width, height) = (f32::from(bounds.width()), f32::from(bounds.height()));
    // One scale for the whole font keeps small symbols small; the odd glyph that is larger than
    // the frame is fitted into it.
    let advance = face.glyph_hor_advance(glyph).map_or(width, f32::from);
    let scale = inner_side() / advance.max(width).max(height);
    let side = PICTURE_SIZE as f32;
    let centre_x = (f32::from(bounds.x_min) + f32::from(bounds.x_max)) / 2.0;
    let centre_y = (f32::from(bounds.y_min) + f32::from(bounds.y_max)) / 2.0;
    // Font outlines point up, pictures down.
    let transform = Transform::from_row(
        scale,
        0.0,
        0.0,
        -scale,
        side / 2.0 - scale * centre_x,
        side / 2.0 + scale * centre_y,
    );
    let mut pixmap = pixmap();
    let mut paint = Paint::default();
    paint.set_color_rgba8(0, 0, 0, 255);
    paint.anti_alias = true;
    pixmap.fill_path(&path, &paint, FillRule::Winding, transform, None);
    Ok(straight(&pixmap))
}

struct Outline(PathBuilder);

impl ttf_parser::OutlineBuilder for Outline {
    fn move_to(&mut self, x: f32, y: f32) {
        self.0.move_to(x, y);
    }
    fn line_to(&mut self, x: f32, y: f32) {
        self.0.line_to(x, y);
    }
    fn quad_to(&mut self, x1: f32, y1: f32, x: f32, y: f32) {
        self.0.quad_to(x1, y1, x, y);
    }
    fn curve_to(&mut self, x1: f32, y1: f32, x2: f32, y2: f32, x: f32, y: f32) {
        self.0.cubic_to(x1, y1, x2, y2, x, y);
    }
    fn close(&mut self) {
        self.0.close();
    }
}

fn inner_side() -> f32 {
    PICTURE_SIZE as f32 - 2.0 * MARGIN
}

fn pixmap() -> Pixmap {
    Pixmap::new(PICTURE_SIZE, PICTURE_SIZE).expect("the picture size is positive and small")
}

fn straight(pixmap: &Pixmap) -> RgbaImage {
    RgbaImage::from_fn(PICTURE_SIZE, PICTURE_SIZE, |x, y| {
        let pixel = pixmap.pixels()[(y * PICTURE_SIZE + x) as usize].demultiply();
        image::Rgba([pixel.red(), pixel.green(), pixel.blue(), pixel.alpha()])
    })
}

fn unreadable(error: impl std::fmt::Display) -> Broken {
    Broken::Unreadable(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SQUARE: &str = "<svg xmlns='http://www.w3.org/2000/svg' width='10' height='10'>\
        <rect width='10' height='10' fill='#c00'/></svg>";

    #[test]
    fn a_drawing_fills_the_frame_up_to_its_margin() {
        let picture = render(&Drawing::Svg(SQUARE.into()), None).unwrap();
        assert_eq!(picture.get_pixel(64, 64).0, [204, 0, 0, 255]);
        assert_eq!(picture.get_pixel(2, 64).0[3], 0);
    }

    #[test]
    fn what_cannot_be_drawn_says_why() {
        let broken = |drawing| render(&drawing, None).unwrap_err();
        let cut_off = Drawing::Svg(SQUARE[..60].into());
        assert!(matches!(broken(cut_off), Broken::Unreadable(_)));
        let no_picture = Drawing::Raster(b"no picture".to_vec());
        assert!(matches!(broken(no_picture), Broken::Unreadable(_)));
        let nothing = Drawing::Svg(SQUARE.replace("#c00", "none"));
        assert_eq!(broken(nothing), Broken::Empty);
        assert!(broken(Drawing::Glyph('a')).to_string().contains("font"));
    }

    #[test]
    fn a_renderer_that_panics_costs_one_picture() {
        let outcome: Result<(), Broken> = guarded(|| panic!("no such filter"));
        let told = outcome.unwrap_err().to_string();
        assert!(told.contains("no such filter"), "{told}");
    }
}
