//! What every request handler and job works with.

use std::sync::Arc;

use predilect_model::{engine::Engine, preference::pair_bank::PairBank};

use crate::{
    attempts::Attempts,
    files::Files,
    jobs::Jobs,
    pair_order::PairOrder,
    parse::GenerationLimits,
    passwords::Passwords,
    store::{QueueLimits, Store},
};

/// Counted choices a set needs: what the preference embedding is read from.
pub const CHOICES_NEEDED: u32 = 4;

/// The parts of a running server.
pub struct App {
    /// The database.
    pub store: Store,
    /// The finished pictures.
    pub files: Files,
    /// The thread that owns the device.
    pub engine: Engine,
    /// The pairs to choose from.
    pub bank: PairBank,
    /// Which of them comes next.
    pub pair_order: PairOrder,
    /// The work behind the requests.
    pub jobs: Jobs,
    /// What a generation may ask for.
    pub limits: GenerationLimits,
    /// How much may wait.
    pub queue_limits: QueueLimits,
    /// Generations given to the engine at a time.
    pub concurrency: usize,
    /// Hashes and compares passwords.
    pub passwords: Passwords,
    /// Log-ins that failed of late.
    pub attempts: Attempts,
    /// Whether the session's cookie is for HTTPS only.
    pub secure_cookies: bool,
    /// Whether a proxy in front names the client.
    pub trust_forwarded_for: bool,
}

/// Shared by handlers and jobs.
pub type AppState = Arc<App>;
