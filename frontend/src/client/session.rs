//! Whose session it is may change on any page; what shows who is there hears of it here.

use leptos::prelude::*;
use std::sync::LazyLock;

static CHANGES: LazyLock<ArcRwSignal<u32>> = LazyLock::new(|| ArcRwSignal::new(0));

/// How often a session was started or passed to somebody else; 0 while there is none. What
/// reads it runs again at the next change.
pub(crate) fn session_changes() -> u32 {
    CHANGES.get()
}

/// To be told of whatever answers with a session's cookie.
pub(super) fn session_changed() {
    CHANGES.update(|changes| *changes += 1);
}
