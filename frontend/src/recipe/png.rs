//! The text chunks that the server writes into a PNG.

use super::Recipe;
use std::collections::HashMap;

const SIGNATURE: &[u8] = b"\x89PNG\r\n\x1a\n";

impl Recipe {
    /// The recipe in a PNG as Predilect gives it for download; `None` where there is none.
    pub(crate) fn of_png(png: &[u8]) -> Option<Self> {
        let texts = texts(png)?;
        let text = |keyword: &str| texts.get(keyword).copied();
        Some(Self {
            prompt: text("prompt")?.to_owned(),
            seed: text("seed")?.parse().ok()?,
            steps: text("steps")?.parse().ok()?,
            guidance: text("guidance")?.parse().ok()?,
            strength: text("strength")?.parse().ok()?,
            profiles: serde_json::from_str(text("profiles")?).ok()?,
        })
    }
}

/// The texts before the pixels, by keyword.
fn texts(png: &[u8]) -> Option<HashMap<&str, &str>> {
    let mut rest = png.strip_prefix(SIGNATURE)?;
    let mut texts = HashMap::new();
    loop {
        let (length, after) = rest.split_first_chunk()?;
        let (kind, after) = after.split_first_chunk()?;
        if kind == b"IDAT" {
            return Some(texts);
        }
        let (data, after) = after.split_at_checked(u32::from_be_bytes(*length) as usize)?;
        // The check sum says whether the file is whole, which the pixels need and these don't.
        let (_, after) = after.split_first_chunk::<4>()?;
        rest = after;
        texts.extend(keyword_and_text(kind, data));
    }
}

/// ASCII is in tEXt, the rest in iTXt, which the server leaves uncompressed.
fn keyword_and_text<'a>(kind: &[u8; 4], data: &'a [u8]) -> Option<(&'a str, &'a str)> {
    let (keyword, rest) = until_zero(data)?;
    let text = match kind {
        b"tEXt" => rest,
        b"iTXt" => {
            let (_language, rest) = until_zero(rest.strip_prefix(&[0, 0])?)?;
            let (_translated_keyword, text) = until_zero(rest)?;
            text
        }
        _ => return None,
    };
    Some((
        std::str::from_utf8(keyword).ok()?,
        std::str::from_utf8(text).ok()?,
    ))
}

fn until_zero(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = bytes.iter().position(|byte| *byte == 0)?;
    Some((&bytes[..end], &bytes[end + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunk(kind: &[u8], data: &[u8]) -> Vec<u8> {
        let length = u32::try_from(data.len()).unwrap().to_be_bytes();
        [&length, kind, data, &[0; 4]].concat()
    }

    fn png(texts: &[(&str, &str)]) -> Vec<u8> {
        let mut png = [SIGNATURE, &chunk(b"IHDR", &[0; 13])].concat();
        for (keyword, text) in texts {
            if text.is_ascii() {
                png.extend(chunk(b"tEXt", format!("{keyword}\0{text}").as_bytes()));
            } else {
                png.extend(chunk(
                    b"iTXt",
                    format!("{keyword}\0\0\0\0\0{text}").as_bytes(),
                ));
            }
        }
        png.extend(chunk(b"IDAT", &[0; 99]));
        png
    }

    const TEXTS: [(&str, &str); 7] = [
        ("Software", "Predilect 0.1.0"),
        ("prompt", "ein Käse"),
        ("seed", "4294967295"),
        ("steps", "20"),
        ("guidance", "3.5"),
        ("strength", "1"),
        ("profiles", r#"[{"id":"a","name":"Calm","weight":0.25}]"#),
    ];

    #[test]
    fn a_downloaded_picture_says_how_it_was_drawn() {
        let recipe = Recipe::of_png(&png(&TEXTS)).unwrap();
        assert_eq!(
            (recipe.prompt.as_str(), recipe.seed, recipe.steps),
            ("ein Käse", u32::MAX, 20)
        );
        assert_eq!((recipe.guidance, recipe.strength), (3.5, 1.0));
        assert_eq!(
            (recipe.profiles[0].name.as_str(), recipe.profiles[0].weight),
            ("Calm", 0.25)
        );
    }

    #[test]
    fn other_files_have_no_recipe() {
        assert_eq!(Recipe::of_png(b"RIFF"), None);
        assert_eq!(Recipe::of_png(&png(&TEXTS[..6])), None);
        let whole = png(&TEXTS);
        let pixels = whole.len() - 111;
        for length in 0..pixels {
            assert_eq!(Recipe::of_png(&whole[..length]), None, "{length}");
        }
        let mut endless = whole.clone();
        endless[8..12].fill(0xff);
        assert_eq!(Recipe::of_png(&endless), None);
    }
}
