//! Colours with names, for backgrounds and tints that captions can speak of.

/// A colour a person would call by this name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NamedColour {
    /// English name, lower case.
    pub name: &'static str,
    /// sRGB, 8 bits a channel.
    pub rgb: [u8; 3],
}

impl NamedColour {
    /// Relative lightness in 0..1 (Rec. 601 luma of the sRGB values).
    pub fn luma(&self) -> f32 {
        luma(self.rgb)
    }
}

/// Rec. 601 luma of an sRGB colour, 0..1.
pub fn luma([r, g, b]: [u8; 3]) -> f32 {
    (0.299 * f32::from(r) + 0.587 * f32::from(g) + 0.114 * f32::from(b)) / 255.0
}

const fn colour(name: &'static str, rgb: [u8; 3]) -> NamedColour {
    NamedColour { name, rgb }
}

/// The colours, saturated ones first, then light ones, then dark ones.
pub const COLOURS: [NamedColour; 20] = [
    colour("red", [220, 50, 47]),
    colour("orange", [245, 140, 40]),
    colour("yellow", [250, 205, 60]),
    colour("green", [70, 170, 80]),
    colour("teal", [40, 160, 160]),
    colour("blue", [50, 110, 220]),
    colour("purple", [130, 80, 190]),
    colour("pink", [240, 120, 170]),
    colour("brown", [130, 85, 55]),
    colour("grey", [150, 150, 150]),
    colour("light blue", [175, 215, 245]),
    colour("light green", [190, 230, 185]),
    colour("light pink", [250, 205, 220]),
    colour("light yellow", [253, 240, 180]),
    colour("lavender", [215, 200, 240]),
    colour("beige", [235, 220, 195]),
    colour("light grey", [220, 220, 220]),
    colour("dark blue", [25, 40, 95]),
    colour("dark green", [20, 70, 45]),
    colour("black", [20, 20, 22]),
];
