//! The axes of a picture: what taste can be about, measured on pixels.

/// One way in which pictures of the same thing differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Axis {
    /// From one colour or greys to many colours.
    Colourfulness,
    /// From dark to light.
    Brightness,
    /// From cool (blue) to warm (red, yellow).
    Warmth,
    /// From soft borders to bold dark outlines.
    Outline,
    /// From large plain areas to much fine detail.
    Detail,
    /// From flat colour to soft gradients.
    Shading,
    /// From a white background to a coloured one.
    Background,
    /// From a small drawing with space around it to one that fills the picture.
    Fill,
}

impl Axis {
    /// All axes, in the order of [`Axis::index`].
    pub const ALL: [Self; 8] = [
        Self::Colourfulness,
        Self::Brightness,
        Self::Warmth,
        Self::Outline,
        Self::Detail,
        Self::Shading,
        Self::Background,
        Self::Fill,
    ];

    /// Position in [`Axis::ALL`].
    pub fn index(self) -> usize {
        self as usize
    }
}
