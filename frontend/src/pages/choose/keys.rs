//! The keys of the Choose page: ← → prefer, ↑ no preference, ↓ skip, Backspace undo.

use super::state::Choosing;
use crate::keys;
use predilect_api::Choice;

/// Listens while the page is shown.
pub(super) fn listen(choosing: Choosing) {
    keys::listen(move |key| {
        match key {
            "ArrowLeft" => choosing.choose(Choice::Left),
            "ArrowRight" => choosing.choose(Choice::Right),
            "ArrowUp" => choosing.choose(Choice::Tie),
            "ArrowDown" => choosing.choose(Choice::Skip),
            "Backspace" => choosing.undo(),
            _ => return false,
        }
        true
    });
}
