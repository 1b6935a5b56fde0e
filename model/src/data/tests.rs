//! Tests of the data as a whole: the split, the reader on a tiny set, and a build from tiny packages.
use std::io::Write;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::artwork::{Artwork, ArtworkWriter, PICTURE_BYTES, PictureRef, Style, Subject};
use super::build::{BuildConfig, BuildProgress, build};
use super::npm;
use super::sources::{EMOJIBASE, EMOJILIB, Layout, Package, SOURCES};
use super::split::{Split, split, stable_hash};

#[test]
fn the_split_never_moves() {
    // Pinned when the first model was trained; a change here spoils every held-out figure.
    assert_eq!(stable_hash(b"1f34e"), HASH_OF_APPLE);
    for (code, side) in KNOWN {
        assert_eq!(split(code), side, "{code}");
    }
}

const HASH_OF_APPLE: u64 = 0xe30b_429c_248b_db22;
const KNOWN: [(&str, Split); 9] = [
    ("1f34e", Split::Train),
    ("1f680", Split::Train),
    ("1f436", Split::Train),
    ("1f469-200d-1f680", Split::Train),
    ("1f318", Split::HeldOut),
    ("1f468-200d-1f469-200d-1f467-200d-1f466", Split::HeldOut),
    ("1f55a", Split::HeldOut),
    ("1f7e4", Split::HeldOut),
    ("1fa91", Split::HeldOut),
];

fn tiny(dir: &Path) {
    let style = |id: &str, mono| Style {
        id: id.into(),
        mono,
        words: vec![format!("{id} style")],
        package: "package@1.0.0".into(),
        licence: "MIT".into(),
    };
    let subject = |code: &str, label: &str, side| Subject {
        code: code.into(),
        label: label.into(),
        synonyms: Vec::new(),
        tags: Vec::new(),
        group: "objects".into(),
        subgroup: "tool".into(),
        split: side,
    };
    let subjects = vec![
        subject("1f527", "wrench", Split::Train),
        subject("1f528", "hammer", Split::HeldOut),
    ];
    let styles = vec![style("flat", false), style("ink", true)];
    let pictures = [
        ((0, 0), [200, 10, 20, 255]),
        ((0, 1), [0, 0, 0, 128]),
        ((1, 1), [0, 0, 0, 0]),
    ];
    let mut set = ArtworkWriter::create(dir).unwrap();
    for (picture, pixel) in pictures {
        let rgba = pixel.repeat(PICTURE_BYTES / 4);
        set.add(PictureRef::from(picture), &rgba).unwrap();
    }
    set.finish("tiny".into(), styles, subjects).unwrap();
}

#[test]
fn a_set_reads_back_as_it_was_written() {
    let dir = tempfile::tempdir().unwrap();
    tiny(dir.path());
    let set = Artwork::open(dir.path()).unwrap();
    assert_eq!(set.len(), 3);
    assert_eq!(set.subject_of(2).label, "hammer");
    assert_eq!(set.style_of(1).id, "ink");
    assert_eq!(set.pictures_of(Split::Train), [0, 1]);
    assert_eq!(&set.rgba(0)[..4], [200, 10, 20, 255]);
    assert_eq!(set.composite(1, [255; 3]).get_pixel(5, 5).0, [127; 3]);
    assert_eq!(set.composite(2, [9, 8, 7]).get_pixel(5, 5).0, [9, 8, 7]);
    assert_eq!(set.variant(0, 0).0, set.composite(0, [255; 3]));
    assert_eq!(set.variant(1, 4), set.variant(1, 4));
}

#[test]
fn a_truncated_set_is_refused_with_the_way_out() {
    let dir = tempfile::tempdir().unwrap();
    tiny(dir.path());
    std::fs::write(dir.path().join("pixels.rgba"), [0; 100]).unwrap();
    let error = Artwork::open(dir.path()).err().unwrap().to_string();
    assert!(error.contains("predilect data build"), "{error}");
}

/// Subjects of the tiny packages: code, sign and label.
const SUBJECTS: [(&str, &str, &str); 3] = [
    ("1F34E", "🍎", "red apple"),
    ("1F680", "🚀", "rocket"),
    ("1F436", "🐶", "dog face"),
];

/// Packages as npm packs them, of three subjects each: [`SOURCES`] and the word lists. The noto set
/// names an icon of a dog that it lacks, and the twemoji set's rocket is no SVG.
fn tiny_packages(cache: &Path) {
    let icons = |rocket: &str, named: &[(&str, &str)]| {
        let square = "<rect width='10' height='10' fill='#c00'/>";
        let icons = json!({
            "width": 10,
            "height": 10,
            "icons": {"red-apple": {"body": square}, "rocket": {"body": rocket}},
        });
        let chars: serde_json::Map<_, _> = named
            .iter()
            .map(|&(code, name)| (code.to_lowercase(), json!(name)))
            .collect();
        vec![
            ("icons.json".to_owned(), icons.to_string().into_bytes()),
            (
                "chars.json".to_owned(),
                json!(chars).to_string().into_bytes(),
            ),
        ]
    };
    let circle = "<circle cx='5' cy='5' r='4' fill='#06c'/>";
    let apple_and_rocket = [("1F34E", "red-apple"), ("1F680", "rocket")];
    for source in SOURCES {
        let files = match (source.layout, source.id) {
            (Layout::RasterByCodePoint { folder }, _) => {
                let mut png = std::io::Cursor::new(Vec::new());
                let picture = image::RgbaImage::from_pixel(8, 8, image::Rgba([9, 200, 9, 255]));
                picture.write_to(&mut png, image::ImageFormat::Png).unwrap();
                vec![(format!("{folder}/1f436.webp"), png.into_inner())]
            }
            (Layout::Font { file }, _) => vec![(file.to_owned(), font_without_glyphs())],
            (_, "noto") => {
                let mut named = apple_and_rocket.to_vec();
                named.push(("1F436", "dog-face"));
                icons(circle, &named)
            }
            (_, "twemoji") => icons("<circle", &apple_and_rocket),
            _ => icons(circle, &apple_and_rocket),
        };
        pack(cache, source.package, &files);
    }

    let entry = |(code, sign, label): &(&str, &str, &str)| json!({"hexcode": code, "emoji": sign, "label": label, "group": 0, "subgroup": 0});
    let entries: Vec<_> = SUBJECTS.iter().map(entry).collect();
    let mut files = vec![
        ("en/data.json".to_owned(), json!(entries)),
        (
            "meta/groups.json".to_owned(),
            json!({"groups": {"0": "objects"}, "subgroups": {"0": "tool"}}),
        ),
        ("meta/unicode-names.json".to_owned(), json!({})),
    ];
    for list in [
        "cldr",
        "emojibase",
        "github",
        "iamcal",
        "joypixels",
        "emojibase-legacy",
    ] {
        files.push((format!("en/shortcodes/{list}.json"), json!({})));
    }
    let bytes = |(name, value): (String, serde_json::Value)| (name, value.to_string().into_bytes());
    pack(
        cache,
        EMOJIBASE,
        &files.into_iter().map(bytes).collect::<Vec<_>>(),
    );
    let synonyms = ("dist/emoji-en-US.json".to_owned(), b"{}".to_vec());
    pack(cache, EMOJILIB, &[synonyms]);
}

/// The tables that a TrueType font must have, and nothing to draw.
fn font_without_glyphs() -> Vec<u8> {
    let mut head = vec![0u8; 54];
    head[18..20].copy_from_slice(&1000u16.to_be_bytes());
    let tables = [
        (b"head", head),
        (b"hhea", vec![0; 36]),
        (b"maxp", vec![0, 0, 0x50, 0, 0, 1]),
    ];
    let mut font = vec![0, 1, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0];
    let mut offset = 12 + 16 * tables.len();
    for (tag, table) in &tables {
        font.extend(*tag);
        font.extend([0; 4]);
        font.extend((offset as u32).to_be_bytes());
        font.extend((table.len() as u32).to_be_bytes());
        offset += table.len();
    }
    font.extend(tables.into_iter().flat_map(|(_, table)| table));
    font
}

fn tarball(cache: &Path, package: Package) -> PathBuf {
    cache.join(npm::tarball_name(package))
}

fn pack(cache: &Path, package: Package, files: &[(String, Vec<u8>)]) {
    let file = std::fs::File::create(tarball(cache, package)).unwrap();
    let mut archive = tar::Builder::new(flate2::write::GzEncoder::new(file, Default::default()));
    for (name, bytes) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        let place = format!("package/{name}");
        archive
            .append_data(&mut header, place, bytes.as_slice())
            .unwrap();
    }
    archive
        .into_inner()
        .unwrap()
        .finish()
        .unwrap()
        .flush()
        .unwrap();
}

fn config(place: &Path) -> BuildConfig {
    BuildConfig {
        package_cache: place.join("npm"),
        out: place.join("set.v1"),
        force: false,
        threads: 2,
    }
}

/// A folder with tiny packages.
fn packed() -> tempfile::TempDir {
    let place = tempfile::tempdir().unwrap();
    std::fs::create_dir(place.path().join("npm")).unwrap();
    tiny_packages(&place.path().join("npm"));
    place
}

#[test]
fn a_build_skips_and_counts_what_cannot_be_drawn() {
    let place = packed();
    let config = config(place.path());
    let report = build(&config, &mut |_| {}).unwrap();
    assert!(!report.reused);
    assert_eq!(report.subjects, 3);
    let count_of = |id: &str| {
        report
            .styles
            .iter()
            .find(|(style, _)| style == id)
            .unwrap()
            .1
    };
    assert_eq!(count_of("fluent-3d"), 1);
    assert_eq!(count_of("fluent-flat"), 2);
    assert_eq!(count_of("fxemoji"), 2, "icons known by their names alone");
    assert_eq!(count_of("noto-mono"), 0);
    assert_eq!(count_of("twemoji"), 1);
    let skipped: Vec<(&str, &str)> = report
        .skipped
        .iter()
        .map(|skipped| (skipped.style.as_str(), skipped.code.as_str()))
        .collect();
    assert_eq!(skipped, [("noto", "1f436"), ("twemoji", "1f680")]);
    assert!(
        report.skipped[0].reason.contains("dog-face"),
        "{:?}",
        report.skipped
    );
    let pictures: usize = report.styles.iter().map(|(_, count)| count).sum();
    assert_eq!(report.pictures, pictures);
    assert_eq!(Artwork::open(&config.out).unwrap().len(), pictures);
    assert!(build(&config, &mut |_| {}).unwrap().reused);
}

#[test]
fn what_killed_builds_left_is_removed_by_the_next_one() {
    let place = packed();
    let config = config(place.path());
    let stale = [".set.v1.predilect-building", ".set.v1.predilect-old"];
    // Another set's, and folders that somebody keeps beside this one.
    let others = [
        ".set.v2.predilect-building",
        "set.v1.building",
        "set.v1.lock",
        "set.v1.old",
    ];
    for folder in stale.iter().chain(&others) {
        let folder = place.path().join(folder);
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(folder.join("pixels.rgba"), [0; 100]).unwrap();
    }
    build(&config, &mut |_| {}).unwrap();
    // Once more, so that a set is replaced, too.
    let again = BuildConfig {
        force: true,
        ..config
    };
    build(&again, &mut |_| {}).unwrap();
    let mut left: Vec<String> = std::fs::read_dir(place.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    left.sort();
    let mut expected = [&others[..], &[".set.v1.predilect-lock", "npm", "set.v1"]].concat();
    expected.sort_unstable();
    assert_eq!(left, expected);
    for folder in others {
        assert!(place.path().join(folder).join("pixels.rgba").is_file());
    }
}

#[test]
fn a_build_that_waits_for_another_one_says_for_which_lock() {
    let place = packed();
    let config = config(place.path());
    let path = place.path().join(".set.v1.predilect-lock");
    let held = std::fs::File::create(&path).unwrap();
    held.lock().unwrap();
    let mut held = Some(held);
    let mut waited = Vec::new();
    build(&config, &mut |progress| {
        if let BuildProgress::Waiting(lock) = progress {
            waited.push(lock);
            // The other one ends.
            held.take();
        }
    })
    .unwrap();
    assert_eq!(waited, [path]);
}

#[test]
fn a_package_that_is_cut_short_is_named_with_the_way_out() {
    let place = packed();
    let config = config(place.path());
    let package = tarball(&config.package_cache, EMOJIBASE);
    let whole = std::fs::read(&package).unwrap();
    std::fs::write(&package, &whole[..whole.len() / 2]).unwrap();
    let told = build(&config, &mut |_| {}).unwrap_err().to_string();
    assert!(told.contains("emojibase-data-17.0.0.tgz"), "{told}");
    assert!(told.contains("delete the file"), "{told}");
}

#[test]
fn a_package_without_a_file_that_is_needed_is_named_with_the_file() {
    let place = packed();
    let config = config(place.path());
    pack(&config.package_cache, EMOJILIB, &[]);
    let told = build(&config, &mut |_| {}).unwrap_err().to_string();
    assert!(
        told.contains("emojilib@4.0.3") && told.contains("emoji-en-US.json"),
        "{told}"
    );
}
