//! The fixed split of the subjects into training and held-out ones.
use serde::{Deserialize, Serialize};

/// Which side of the split a subject is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Split {
    /// May be trained on.
    Train,
    /// Never trained on by the generator, the text encoder, the VLM or the preference adapter.
    HeldOut,
}

/// Share of the subjects that is held out, in per cent.
pub const HELD_OUT_PER_CENT: u64 = 10;

/// The side of a subject, from its code point alone, so that it never moves.
///
/// `code` is the lower-case hexadecimal sequence without variation selectors, such as `1f34e`
/// or `1f469-200d-1f680`.
pub fn split(code: &str) -> Split {
    if stable_hash(code.as_bytes()) % 100 < HELD_OUT_PER_CENT {
        Split::HeldOut
    } else {
        Split::Train
    }
}

/// A 64-bit hash that is the same on every machine and in every version: FNV-1a, finished with
/// SplitMix64's mixer (FNV alone leaves the low bits of short keys correlated).
pub fn stable_hash(bytes: &[u8]) -> u64 {
    let fnv = bytes.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let mixed = (fnv ^ (fnv >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}
