//! The eleven artwork sets and the word lists, pinned by version.

/// A package of the npm registry, pinned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Package {
    /// Name, with its scope.
    pub name: &'static str,
    /// Exact version.
    pub version: &'static str,
}

impl std::fmt::Display for Package {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}@{}", self.name, self.version)
    }
}

/// How a package holds its pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Layout {
    /// WebP files named by code point, in this folder.
    RasterByCodePoint {
        /// Folder within the package.
        folder: &'static str,
    },
    /// Iconify JSON with `chars.json`, which maps code points to icon names.
    IconsByCodePoint,
    /// Iconify JSON whose icons are only named.
    IconsByName,
    /// A TrueType font; its character map names the subjects.
    Font {
        /// Path within the package.
        file: &'static str,
    },
}

/// One set of pictures in one style.
#[derive(Debug, Clone, Copy)]
pub struct Source {
    /// Short name of the style, as it stands in the index.
    pub id: &'static str,
    /// Where the pictures come from.
    pub package: Package,
    pub(crate) layout: Layout,
    /// Drawn in one colour on nothing, so that it can be tinted.
    pub mono: bool,
    /// SPDX identifier of the artwork's licence.
    pub licence: &'static str,
    /// Natural words for the style; captions say "a … of an apple".
    pub words: &'static [&'static str],
}

macro_rules! source {
    ($id:literal, $name:literal, $version:literal, $layout:expr, $mono:literal, $licence:literal, $words:expr) => {
        Source {
            id: $id,
            package: Package {
                name: $name,
                version: $version,
            },
            layout: $layout,
            mono: $mono,
            licence: $licence,
            words: &$words,
        }
    };
}

/// The eleven styles. Left out on purpose: share-alike sets (OpenMoji, EmojiOne v1) and
/// proprietary artwork.
#[rustfmt::skip]
pub const SOURCES: [Source; 11] = [
    source!("fluent-3d", "@lobehub/fluent-emoji-3d", "1.1.0", Layout::RasterByCodePoint { folder: "assets" }, false, "MIT",
        ["3d render", "glossy 3d sticker", "soft 3d picture"]),
    source!("fluent-flat", "@iconify-json/fluent-emoji-flat", "1.2.6", Layout::IconsByCodePoint, false, "MIT",
        ["flat colour picture", "modern flat sticker", "simple flat drawing"]),
    source!("fluent-contrast", "@iconify-json/fluent-emoji-high-contrast", "1.2.6", Layout::IconsByCodePoint, true, "MIT",
        ["black and white line icon", "thin line icon", "high contrast icon"]),
    source!("noto", "@iconify-json/noto", "1.2.9", Layout::IconsByCodePoint, false, "Apache-2.0",
        ["shaded cartoon", "detailed colour sticker", "soft shaded drawing"]),
    source!("noto-v1", "@iconify-json/noto-v1", "1.2.5", Layout::IconsByName, false, "Apache-2.0",
        ["playful old cartoon", "rounded cartoon", "classic cartoon sticker"]),
    source!("fxemoji", "@iconify-json/fxemoji", "1.2.2", Layout::IconsByName, false, "Apache-2.0",
        ["muted flat drawing", "warm flat illustration", "angular flat picture"]),
    source!("noto-mono", "@expo-google-fonts/noto-emoji", "0.4.7", Layout::Font { file: "400Regular/NotoEmoji_400Regular.ttf" }, true, "OFL-1.1",
        ["black ink drawing", "hand drawn line art", "one colour line drawing"]),
    source!("twemoji", "@iconify-json/twemoji", "1.2.5", Layout::IconsByCodePoint, false, "CC-BY-4.0",
        ["plain flat sticker", "flat bright picture", "simple colour icon"]),
    source!("emojione", "@iconify-json/emojione", "1.2.3", Layout::IconsByName, false, "CC-BY-4.0",
        ["flat vector drawing", "clean colour icon", "bright vector sticker"]),
    source!("emojione-mono", "@iconify-json/emojione-monotone", "1.2.1", Layout::IconsByName, true, "CC-BY-4.0",
        ["solid black icon", "bold silhouette icon", "black stencil"]),
    source!("streamline", "@iconify-json/streamline-emojis", "1.2.4", Layout::IconsByName, false, "CC-BY-4.0",
        ["outlined cartoon", "colour drawing with dark outlines", "bold outlined sticker"]),
];

/// Labels, tags, groups and alternative names of every subject (MIT).
pub const EMOJIBASE: Package = Package {
    name: "emojibase-data",
    version: "17.0.0",
};
/// Synonyms (MIT).
pub const EMOJILIB: Package = Package {
    name: "emojilib",
    version: "4.0.3",
};
