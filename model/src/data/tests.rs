//! Tests of the data as a whole: the split, the joins that packages in the cache allow, and the
//! reader on a tiny set.
use std::path::Path;

use super::artwork::{Artwork, ArtworkWriter, PICTURE_BYTES, PictureRef, Style, Subject};
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
