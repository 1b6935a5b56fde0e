//! A folder of its own, with a small artwork set where a test wants one, and the program to run
//! in it.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use predilect_model::data::artwork::{
    Artwork, ArtworkWriter, PICTURE_BYTES, PictureRef, Style, Subject,
};
use predilect_model::data::split::{Split, split};
use predilect_model::data::tokenizer::{TOKENIZER_FILE, train, training_texts};
use tempfile::TempDir;

const TRAINED: usize = 12;
const HELD_OUT: usize = 4;
const STYLES: usize = 6;

/// A folder that the program runs in and takes for its cache.
pub(crate) struct Workplace(TempDir);

impl Workplace {
    /// With nothing in it.
    pub(crate) fn empty() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// With an artwork set as the cache's only content.
    pub(crate) fn new() -> Self {
        let place = Self::empty();
        write_artwork(&place.path("data/artwork-128"));
        place
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// `predilect` with this cache, on one thread.
    pub(crate) fn predilect(&self, arguments: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_predilect"));
        command
            .args(arguments.split_whitespace())
            .env("PREDILECT_CACHE_DIR", self.0.path())
            .env("OMP_NUM_THREADS", "1")
            .current_dir(self.0.path());
        command
    }

    /// Runs it to its end, which has to be a good one; returns what it printed.
    pub(crate) fn run(&self, arguments: &str) -> String {
        let output = self.predilect(arguments).output().unwrap();
        assert!(output.status.success(), "{arguments}: {}", words(&output));
        words(&output)
    }

    /// Runs it to an end that has to be a bad one; returns what it printed.
    pub(crate) fn fail(&self, arguments: &str) -> String {
        let output = self.predilect(arguments).output().unwrap();
        assert!(!output.status.success(), "{arguments}: {}", words(&output));
        words(&output)
    }
}

/// The folder of the shipped model.
pub(crate) fn shipped() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../assets/mini")
}

/// Both streams as text.
pub(crate) fn words(output: &Output) -> String {
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    text(&output.stdout) + &text(&output.stderr)
}

/// Sixteen subjects, four of them held out, in six styles: a subject is a form, a style its
/// colour and ground.
fn write_artwork(dir: &Path) {
    std::fs::create_dir_all(dir).unwrap();
    let of = |side, count| {
        let codes = (0x1f300..).map(|code| format!("{code:x}"));
        codes.filter(move |code| split(code) == side).take(count)
    };
    let codes = of(Split::Train, TRAINED).chain(of(Split::HeldOut, HELD_OUT));
    let subjects: Vec<Subject> = codes
        .enumerate()
        .map(|(i, code)| Subject {
            split: split(&code),
            code,
            label: format!("{} form", NUMBERS[i]),
            synonyms: vec![format!("{} shape", NUMBERS[i])],
            tags: Vec::new(),
            group: "symbols".into(),
            subgroup: "geometric".into(),
        })
        .collect();
    let styles = (0..STYLES).map(|i| Style {
        id: format!("style-{i}"),
        mono: false,
        words: vec![format!("{} manner", NUMBERS[i])],
        package: "none@0.0.0".into(),
        licence: "CC0-1.0".into(),
    });
    let mut set = ArtworkWriter::create(dir).unwrap();
    for subject in 0..subjects.len() {
        for style in 0..STYLES {
            set.add(PictureRef { subject, style }, &picture(subject, style))
                .unwrap();
        }
    }
    set.finish("test".into(), styles.collect(), subjects)
        .unwrap();
    let texts = training_texts(&Artwork::open(dir).unwrap());
    let tokenizer = train(texts).unwrap();
    tokenizer.save(&dir.join(TOKENIZER_FILE)).unwrap();
}

const NUMBERS: [&str; TRAINED + HELD_OUT] = [
    "first",
    "second",
    "third",
    "fourth",
    "fifth",
    "sixth",
    "seventh",
    "eighth",
    "ninth",
    "tenth",
    "eleventh",
    "twelfth",
    "thirteenth",
    "fourteenth",
    "fifteenth",
    "sixteenth",
];

/// A star with as many points as the subject's number, in the style's colour.
fn picture(subject: usize, style: usize) -> Vec<u8> {
    let mut rgba = Vec::with_capacity(PICTURE_BYTES);
    for (y, x) in (0..128).flat_map(|y| (0..128).map(move |x| (y, x))) {
        let (dx, dy) = (x as f32 - 63.5, y as f32 - 63.5);
        let edge = 40.0 + 12.0 * (dy.atan2(dx) * subject as f32).cos();
        let inside = dx.hypot(dy) < edge;
        let colour = [(40 * style) as u8, (200 - 30 * style) as u8, 90];
        rgba.extend(colour);
        rgba.push(if inside { 255 } else { 0 });
    }
    rgba
}
