use leptos::prelude::*;
use predilect_api::{BlendedProfile, Profile, ProfileId, ProfileState, ProfileWeight};

/// Whom to draw for.
#[derive(Clone, Copy)]
pub(crate) struct Taste {
    /// One profile; `None` draws with the base model.
    pub(super) picked: RwSignal<Option<ProfileId>>,
    /// Several, as a picture was drawn for them; goes before `picked` while it has any.
    pub(super) blend: RwSignal<Vec<BlendedProfile>>,
    /// Whom the picture was drawn for who is not there any more, in words.
    pub(super) gone: RwSignal<Option<String>>,
}

impl Taste {
    pub(crate) fn new() -> Self {
        Self {
            picked: RwSignal::new(None),
            blend: RwSignal::new(Vec::new()),
            gone: RwSignal::new(None),
        }
    }

    /// Draws for one profile, or for none.
    pub(crate) fn pick(self, profile: Option<ProfileId>) {
        self.picked.set(profile);
        self.blend.set(Vec::new());
        self.gone.set(None);
    }

    /// Draws for those that a picture was drawn for, as far as they are among `profiles`.
    pub(crate) fn take_over(self, parts: Vec<BlendedProfile>, profiles: &[Profile]) {
        let is_there = |part: &BlendedProfile| {
            let mut usable = profiles.iter().filter(|profile| is_usable(profile));
            usable.any(|profile| profile.id == part.id)
        };
        let (there, gone): (Vec<_>, Vec<_>) = parts.into_iter().partition(is_there);
        match &there[..] {
            [] => self.pick(None),
            [only] => self.pick(Some(only.id.clone())),
            _ => {
                self.pick(None);
                self.blend.set(there.clone());
            }
        }
        self.gone.set(without(&gone, there.is_empty()));
    }

    /// The profiles of a request.
    pub(crate) fn weights(self) -> Vec<ProfileWeight> {
        let blend = self.blend.get_untracked();
        let parts = blend.into_iter().map(|part| (part.id, part.weight));
        let weight = |(id, weight)| ProfileWeight { id, weight };
        let weights: Vec<_> = parts.map(weight).collect();
        if !weights.is_empty() {
            return weights;
        }
        let picked = self.picked.get_untracked().map(|id| (id, 1.0));
        picked.map(weight).into_iter().collect()
    }
}

/// Whether a profile can be drawn for: it is read, and has the name to pick it by.
pub(crate) fn is_usable(profile: &Profile) -> bool {
    profile.state == ProfileState::Ready && profile.name.is_some()
}

fn without(gone: &[BlendedProfile], none_is_left: bool) -> Option<String> {
    let names: Vec<_> = gone.iter().map(|part| format!("“{}”", part.name)).collect();
    let (names, are) = match &names[..] {
        [] => return None,
        [only] => (only.clone(), "is"),
        [most @ .., last] => (format!("{} and {last}", most.join(", ")), "are"),
    };
    let then = if none_is_left {
        "without a profile"
    } else {
        "for the rest of its blend"
    };
    Some(format!(
        "That picture was drawn for {names}, which {are} not there any more. Yours is drawn {then}."
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::components::profile_picker::tests::profile;

    fn part(id: &str) -> BlendedProfile {
        BlendedProfile {
            id: ProfileId(id.into()),
            name: id.to_uppercase(),
            weight: 2.0,
        }
    }

    fn taken_over(parts: &[&str]) -> (Vec<(String, f32)>, Option<String>) {
        let profiles = ["a", "b"].map(|id| profile(id, Some(id), ProfileState::Ready));
        let taste = Taste::new();
        taste.take_over(parts.iter().map(|id| part(id)).collect(), &profiles);
        let weights = taste.weights().into_iter();
        (
            weights.map(|part| (part.id.0, part.weight)).collect(),
            taste.gone.get_untracked(),
        )
    }

    #[test]
    fn a_blend_is_taken_over_with_its_weights() {
        let (weights, gone) = taken_over(&["a", "b"]);
        assert_eq!(weights, [("a".into(), 2.0), ("b".into(), 2.0)]);
        assert_eq!(gone, None);
        assert_eq!(taken_over(&["b"]).0, [("b".into(), 1.0)]);
        assert_eq!(taken_over(&[]), (vec![], None));
    }

    #[test]
    fn profiles_that_are_gone_are_named_and_left_out() {
        let (weights, gone) = taken_over(&["x"]);
        assert!(weights.is_empty());
        assert_eq!(
            gone.as_deref(),
            Some(
                "That picture was drawn for “X”, which is not there any more. Yours is drawn \
                 without a profile."
            )
        );
        let (weights, gone) = taken_over(&["x", "a", "y", "z"]);
        assert_eq!(weights, [("a".into(), 1.0)]);
        let gone = gone.unwrap();
        assert!(
            gone.contains("“X”, “Y” and “Z”, which are") && gone.contains("the rest"),
            "{gone}"
        );
    }

    #[test]
    fn picking_a_profile_ends_what_a_picture_said() {
        let taste = Taste::new();
        taste.take_over(vec![part("x")], &[]);
        taste.pick(Some(ProfileId("a".into())));
        assert_eq!(taste.gone.get_untracked(), None);
        assert_eq!(taste.weights()[0].weight, 1.0);
    }
}
