//! Joining the sets: which picture of each package shows which subject.
use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use serde::Deserialize;

use super::DataError;
use super::npm::{self, PackageFiles};
use super::sources::{Layout, SOURCES, Source};
use super::words::{Words, normal_code, normalise};

/// Where one picture's shapes or pixels come from.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Drawing {
    /// A complete SVG document.
    Svg(String),
    /// A WebP file.
    Raster(Vec<u8>),
    /// A glyph of the style's font.
    Glyph(char),
}

/// One style's pictures by subject code, and its font where it has one.
pub(crate) struct JoinedStyle {
    pub(crate) drawings: BTreeMap<String, Drawing>,
    pub(crate) font: Option<Vec<u8>>,
    /// Codes of subjects that the set names an icon for and lacks it, with the icon's name.
    pub(crate) without_icon: BTreeMap<String, String>,
}

/// Pictures by subject code, and icons that are named and missing.
type Icons = (BTreeMap<String, Drawing>, BTreeMap<String, String>);

/// The icons of these names, by the codes that they are named for.
fn icons_by_code<'a>(set: &IconSet, names: impl Iterator<Item = (String, &'a str)>) -> Icons {
    let (mut drawings, mut missing) = (BTreeMap::new(), BTreeMap::new());
    for (code, name) in names {
        match set.svg(name) {
            Some(svg) => drop(drawings.insert(code, Drawing::Svg(svg))),
            None => drop(missing.insert(code, name.to_owned())),
        }
    }
    // A code may be named twice, with a variation selector and without.
    missing.retain(|code, _| !drawings.contains_key(code));
    (drawings, missing)
}

/// Names that no list knows, or that mean another subject in this set, checked by eye.
const NAMES_BY_EYE: [(&str, &str, &str); 34] = [
    ("fxemoji", "ten", "1f51f"),
    ("fxemoji", "bow", "1f380"),
    ("fxemoji", "bowing", "1f647"),
    ("fxemoji", "up", "1f446"),
    ("fxemoji", "down", "1f447"),
    ("fxemoji", "pouting", "1f621"),
    ("fxemoji", "pout", "1f64e"),
    ("fxemoji", "couple", "1f491"),
    ("fxemoji", "couplekiss", "1f48f"),
    ("fxemoji", "darksunglasses", "1f576"),
    ("fxemoji", "sunglasses", "1f60e"),
    ("fxemoji", "wiredkeyboard", "2328"),
    ("fxemoji", "beachumbrella", "1f3d6"),
    ("fxemoji", "cat", "1f431"),
    ("fxemoji", "catside", "1f408"),
    ("fxemoji", "fistedhand", "1f44a"),
    ("fxemoji", "heartarrow", "1f498"),
    ("fxemoji", "banknoteyen", "1f4b4"),
    ("fxemoji", "banknotedollar", "1f4b5"),
    ("fxemoji", "banknoteeuro", "1f4b6"),
    ("fxemoji", "banknotepound", "1f4b7"),
    ("fxemoji", "chartupwardstrendyen", "1f4b9"),
    ("fxemoji", "chartupwardstrend", "1f4c8"),
    ("fxemoji", "chartdownwardstrend", "1f4c9"),
    ("fxemoji", "notebookdecorativecover", "1f4d4"),
    ("fxemoji", "speakercancellation", "1f507"),
    ("fxemoji", "speakeronesoundwave", "1f509"),
    ("fxemoji", "bellcancellation", "1f515"),
    ("fxemoji", "winking", "1f609"),
    ("fxemoji", "crying", "1f622"),
    ("fxemoji", "loudlycrying", "1f62d"),
    ("fxemoji", "okgesture", "1f646"),
    ("fxemoji", "highspeedtrainbulletnose", "1f685"),
    ("fxemoji", "sunrays", "2600"),
];

/// Pictures whose name says one thing while they show another: never joined by that name.
const MISNAMED: [(&str, &str); 11] = [
    // The sea, not the waving hand.
    ("fxemoji", "wave"),
    // A kissing face, a piano, a smiling face; the tram is a black box.
    ("fxemoji", "kiss"),
    ("fxemoji", "keyboard"),
    ("fxemoji", "coldsweat"),
    ("fxemoji", "tramcar"),
    // Flags, not the map and the bird.
    ("streamline", "japan"),
    ("streamline", "turkey"),
    // A kissing face without sweat.
    ("streamline", "anxious-face"),
    // The bat, not the insect.
    ("noto-v1", "cricket"),
    ("emojione", "cricket"),
    ("emojione-mono", "cricket"),
];

/// Joins all styles, in the order of [`SOURCES`].
pub(crate) fn join_all(cache: &Path, words: &Words) -> Result<Vec<JoinedStyle>, DataError> {
    let wanted = |path: &str| {
        matches!(path, "icons.json" | "chars.json")
            || path.ends_with(".webp")
            || path.ends_with(".ttf")
    };
    let packages = SOURCES
        .iter()
        .map(|source| npm::open(cache, source.package, wanted))
        .collect::<Result<Vec<_>, _>>()?;
    let mut icon_names = HashMap::new();
    for (source, files) in SOURCES.iter().zip(&packages) {
        // These two sets name nearly every emoji; the named-only sets share their vocabulary.
        if matches!(source.id, "noto" | "twemoji") {
            collect_icon_names(files, &mut icon_names)?;
        }
    }
    SOURCES
        .iter()
        .zip(&packages)
        .map(|(source, files)| join(source, files, words, &icon_names))
        .collect()
}

fn join(
    source: &Source,
    files: &PackageFiles,
    words: &Words,
    icon_names: &HashMap<String, String>,
) -> Result<JoinedStyle, DataError> {
    let mut font = None;
    let mut without_icon = BTreeMap::new();
    let mut drawings = match source.layout {
        Layout::RasterByCodePoint { folder } => files
            .iter()
            .filter_map(|(path, bytes)| {
                let stem = path
                    .strip_prefix(folder)?
                    .strip_prefix('/')?
                    .strip_suffix(".webp")?;
                Some((normal_code(stem), Drawing::Raster(bytes.to_vec())))
            })
            .collect(),
        Layout::IconsByCodePoint => {
            let icons: IconSet = files.json("icons.json")?;
            let chars: BTreeMap<String, String> = files.json("chars.json")?;
            let names = chars.iter();
            let names = names.map(|(code, name)| (normal_code(code), name.as_str()));
            let (drawings, missing) = icons_by_code(&icons, names);
            without_icon = missing;
            drawings
        }
        Layout::IconsByName => {
            let icons: IconSet = files.json("icons.json")?;
            let (drawings, missing) = by_name(source, &icons, words, icon_names);
            without_icon = missing;
            drawings
        }
        Layout::Font { file } => {
            let bytes = files.get(file)?.to_vec();
            let face =
                ttf_parser::Face::parse(&bytes, 0).map_err(|error| files.bad(file, error))?;
            let drawings = words
                .subjects
                .keys()
                .filter_map(|code| {
                    let point = char::from_u32(u32::from_str_radix(code, 16).ok()?)?;
                    face.glyph_index(point)?;
                    Some((code.clone(), Drawing::Glyph(point)))
                })
                .collect();
            font = Some(bytes);
            drawings
        }
    };
    drawings.retain(|code, _| words.subjects.contains_key(code));
    without_icon.retain(|code, _| words.subjects.contains_key(code));
    Ok(JoinedStyle {
        drawings,
        font,
        without_icon,
    })
}

fn by_name(
    source: &Source,
    icons: &IconSet,
    words: &Words,
    icon_names: &HashMap<String, String>,
) -> Icons {
    let mut found: BTreeMap<String, (usize, &str)> = BTreeMap::new();
    for name in icons.icons.keys().chain(icons.aliases.keys()) {
        if MISNAMED.contains(&(source.id, name)) {
            continue;
        }
        // The first of a numbered series shows what the name says. Not so where the number is
        // part of the name, as in "keycap-1", which the full name's match below finds first.
        let stem = name.strip_suffix("-1").unwrap_or(name);
        let keys = [normalise(name), normalise(stem)];
        let by_eye = NAMES_BY_EYE
            .iter()
            .find(|(set, known, _)| *set == source.id && known == name);
        let code = match by_eye {
            Some((_, _, code)) => Some((0, *code)),
            None => std::iter::once(icon_names)
                .chain(&words.names)
                .enumerate()
                .find_map(|(rank, names)| {
                    let code = keys.iter().find_map(|key| names.get(key))?;
                    Some((rank + 1, code.as_str()))
                }),
        };
        let Some((rank, code)) = code else { continue };
        // The better kind of name wins; the icons come sorted, so the outcome is fixed.
        let place = found.entry(code.to_owned()).or_insert((rank, name));
        if rank < place.0 {
            *place = (rank, name);
        }
    }
    let names = found.into_iter().map(|(code, (_, name))| (code, name));
    icons_by_code(icons, names)
}

fn collect_icon_names(
    files: &PackageFiles,
    names: &mut HashMap<String, String>,
) -> Result<(), DataError> {
    let icons: IconSet = files.json("icons.json")?;
    let chars: BTreeMap<String, String> = files.json("chars.json")?;
    let by_name: BTreeMap<&String, &String> =
        chars.iter().map(|(code, name)| (name, code)).collect();
    for (name, code) in &by_name {
        names
            .entry(normalise(name))
            .or_insert_with(|| normal_code(code));
    }
    for (alias, target) in &icons.aliases {
        if let Some(code) = by_name.get(&target.parent) {
            names
                .entry(normalise(alias))
                .or_insert_with(|| normal_code(code));
        }
    }
    Ok(())
}

/// An icon set in Iconify's JSON, as far as emoji sets use it.
#[derive(Deserialize)]
struct IconSet {
    width: Option<f32>,
    height: Option<f32>,
    icons: BTreeMap<String, Icon>,
    #[serde(default)]
    aliases: BTreeMap<String, Alias>,
}

#[derive(Deserialize)]
struct Icon {
    body: String,
    width: Option<f32>,
    height: Option<f32>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Alias {
    parent: String,
    #[serde(default)]
    h_flip: bool,
}

impl IconSet {
    /// The SVG document of an icon or alias.
    fn svg(&self, name: &str) -> Option<String> {
        let (icon, flip) = match self.icons.get(name) {
            Some(icon) => (icon, false),
            None => {
                let alias = self.aliases.get(name)?;
                (self.icons.get(&alias.parent)?, alias.h_flip)
            }
        };
        // 16 is Iconify's default where neither the icon nor the set gives a size.
        let width = icon.width.or(self.width).unwrap_or(16.0);
        let height = icon.height.or(self.height).unwrap_or(16.0);
        let body = if flip {
            format!(
                "<g transform=\"translate({width} 0) scale(-1 1)\">{}</g>",
                icon.body
            )
        } else {
            icon.body.clone()
        };
        Some(format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" xmlns:xlink=\"http://www.w3.org/1999/xlink\" \
             width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\">{body}</svg>"
        ))
    }
}
