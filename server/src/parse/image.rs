use std::collections::HashSet;

use predilect_api::{ImageId, MAX_SELECTED_IMAGES, ProfileId};

use super::fold;

/// Whose pictures are asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProfileFilter {
    /// Those that this profile has a part in.
    Of(ProfileId),
    /// Those that the base model drew.
    Base,
}

impl ProfileFilter {
    /// What stands for no profile, where an id is expected: ids are UUIDs.
    const BASE: &str = "none";

    /// A profile's id, or `none`.
    #[must_use]
    pub fn parse(text: String) -> Self {
        if text == Self::BASE {
            Self::Base
        } else {
            Self::Of(ProfileId(text))
        }
    }
}

/// Which of a person's pictures are asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImageFilter {
    /// Each is somewhere in the prompt; folded, see [`fold`].
    pub words: Vec<String>,
    /// Whose; all when `None`.
    pub profile: Option<ProfileFilter>,
    /// Only those marked.
    pub favourites: bool,
}

impl ImageFilter {
    /// The words of a search, in whichever order: at most as many characters as a prompt has.
    ///
    /// # Errors
    /// In words, what is allowed.
    pub fn words(search: &str, max_chars: usize) -> Result<Vec<String>, String> {
        let chars = search.chars().count();
        if chars > max_chars {
            return Err(format!(
                "must have at most {max_chars} characters, and has {chars}"
            ));
        }
        Ok(fold(search).split_whitespace().map(Into::into).collect())
    }
}

/// Pictures that one request is about: some, none twice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selection(Vec<ImageId>);

impl Selection {
    /// Parses the `ids` of a request.
    ///
    /// # Errors
    /// In words, what is allowed.
    pub fn parse(ids: Vec<ImageId>) -> Result<Self, String> {
        let asked = ids.len();
        if !(1..=MAX_SELECTED_IMAGES).contains(&asked) {
            return Err(format!(
                "must name 1 to {MAX_SELECTED_IMAGES} pictures, and names {asked}"
            ));
        }
        let mut seen = HashSet::with_capacity(asked);
        Ok(Self(
            ids.into_iter()
                .filter(|id| seen.insert(id.clone()))
                .collect(),
        ))
    }

    /// A single picture.
    #[must_use]
    pub fn one(id: ImageId) -> Self {
        Self(vec![id])
    }

    /// The pictures, in the order asked.
    #[must_use]
    pub fn ids(&self) -> &[ImageId] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_search_is_split_into_folded_words() {
        assert_eq!(
            ImageFilter::words("  Ein KÄSE ", 20).unwrap(),
            ["ein", "käse"]
        );
        assert!(ImageFilter::words(" ", 20).unwrap().is_empty());
        assert!(
            ImageFilter::words("a fox", 4)
                .unwrap_err()
                .contains("at most 4 characters")
        );
    }

    #[test]
    fn a_selection_names_some_pictures_and_none_twice() {
        let ids = |names: &[&str]| names.iter().map(|name| ImageId((*name).into())).collect();
        let selection = Selection::parse(ids(&["a", "b", "a"])).unwrap();
        assert_eq!(selection.ids(), [ImageId("a".into()), ImageId("b".into())]);
        assert!(Selection::parse(vec![]).is_err());
        let too_many = vec![ImageId("a".into()); MAX_SELECTED_IMAGES + 1];
        assert!(Selection::parse(too_many).is_err());
    }
}
