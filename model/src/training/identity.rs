//! What a training follows from: a checkpoint bears it and is continued by the same one alone.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

/// Settings by their name: a flag with its value, or what it is (`artwork`) with a hash of it.
pub type Settings = BTreeMap<String, String>;

/// What a training follows from.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Identity {
    /// What decides the result from the first step on: the seed, data, weights to start from.
    pub origin: Settings,
    /// What may change from one continuation to the next while the training lasts.
    pub pace: Settings,
}

impl Identity {
    /// How `now` is another training than this one, in words; empty when it is the same.
    pub(super) fn differences(&self, now: &Self, is_over: bool) -> Vec<String> {
        let mut found = differences(&self.origin, &now.origin);
        if is_over {
            found.extend(differences(&self.pace, &now.pace));
        }
        found
    }
}

fn differences(then: &Settings, now: &Settings) -> Vec<String> {
    let mut names: Vec<&String> = then.keys().chain(now.keys()).collect();
    names.sort();
    names.dedup();
    let told = |settings: &Settings, name| settings.get(name).map_or("unset", |v| v).to_owned();
    names
        .into_iter()
        .map(|name| (name, told(then, name), told(now, name)))
        .filter(|(_, then, now)| then != now)
        .map(|(name, then, now)| match name.starts_with("--") {
            true => format!("{name} was {then} and is {now}"),
            false => format!("another {name}"),
        })
        .collect()
}

/// SHA-256 of these bytes, hexadecimal.
pub(super) fn digest(bytes: impl AsRef<[u8]>) -> String {
    digest_all([bytes])
}

/// SHA-256 of these bytes one after the other, hexadecimal.
pub(super) fn digest_all(parts: impl IntoIterator<Item = impl AsRef<[u8]>>) -> String {
    let mut hasher = Sha256::new();
    parts.into_iter().for_each(|part| hasher.update(part));
    let hash = hasher.finalize();
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(seed: &str, artwork: &str, lr: &str) -> Identity {
        let settings = |pairs: &[(&str, &str)]| {
            let owned = |&(name, value): &(&str, &str)| (name.to_owned(), value.to_owned());
            pairs.iter().map(owned).collect()
        };
        Identity {
            origin: settings(&[("--seed", seed), ("artwork", artwork)]),
            pace: settings(&[("--lr", lr)]),
        }
    }

    #[test]
    fn what_differs_is_named_with_values_where_those_mean_something() {
        let then = identity("0", "a", "0.1");
        assert!(then.differences(&then, true).is_empty());
        let now = identity("1", "b", "0.1");
        let differences = then.differences(&now, false);
        assert_eq!(differences, ["--seed was 0 and is 1", "another artwork"]);
    }

    #[test]
    fn the_pace_may_change_until_a_training_is_over() {
        let (then, now) = (identity("0", "a", "0.1"), identity("0", "a", "0.2"));
        assert!(then.differences(&now, false).is_empty());
        assert_eq!(then.differences(&now, true), ["--lr was 0.1 and is 0.2"]);
    }
}
