//! Settings of `predilect serve`: flags with environment twins, a struct per concern.

mod http;
mod limits;
mod locate;
mod model;
mod storage;

pub use http::HttpConfig;
pub use limits::LimitConfig;
pub use locate::LocateError;
pub use model::{MEMORY_ADVICE, ModelConfig};
pub use storage::StorageConfig;

/// Every setting of the server.
#[derive(Clone, Debug, clap::Args)]
pub struct Config {
    /// Where the server listens and what it shows there.
    #[command(flatten)]
    pub http: HttpConfig,
    /// Where it keeps what it stores.
    #[command(flatten)]
    pub storage: StorageConfig,
    /// What it draws with.
    #[command(flatten)]
    pub model: ModelConfig,
    /// How much it takes on.
    #[command(flatten)]
    pub limits: LimitConfig,
}
