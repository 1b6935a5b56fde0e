//! What a picture is called once it is saved.

use std::collections::HashMap;

/// Characters of the prompt in a picture's file name.
const NAME_CHARS: usize = 40;

/// A file name without its ending: the prompt in letters any file system takes, and the seed.
#[must_use]
pub fn of(prompt: &str, seed: u32) -> String {
    let words: Vec<_> = prompt
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_ascii_lowercase)
        .collect();
    let words: String = words.join("-").chars().take(NAME_CHARS).collect();
    ["predilect", words.trim_end_matches('-'), &seed.to_string()]
        .into_iter()
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join("-")
}

/// Names of many pictures in one folder.
#[derive(Default)]
pub struct Names(HashMap<String, u32>);

impl Names {
    /// The picture's name, with a number behind it where others had the same: the number
    /// stands behind a dot, which no name has otherwise.
    pub fn next(&mut self, prompt: &str, seed: u32) -> String {
        let name = of(prompt, seed);
        let count = self.0.entry(name.clone()).or_default();
        *count += 1;
        match *count {
            1 => name,
            number => format!("{name}.{number}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_name_has_only_plain_letters() {
        assert_eq!(of("A red \"apple\"; x=1", 7), "predilect-a-red-apple-x-1-7");
        assert_eq!(of("苹果", 7), "predilect-7");
        assert!(of(&"long ".repeat(50), 7).len() < 60);
    }

    #[test]
    fn no_two_pictures_of_a_folder_have_one_name() {
        let mut names = Names::default();
        let named: Vec<_> = ["a fox", "A fox!", "a fox"]
            .map(|prompt| names.next(prompt, 7))
            .into();
        assert_eq!(
            named,
            [
                "predilect-a-fox-7",
                "predilect-a-fox-7.2",
                "predilect-a-fox-7.3"
            ]
        );
    }
}
