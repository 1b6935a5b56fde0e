//! What is kept: SQLite, one module per subject. A method that returns has stored.

mod accounts;
mod admins;
mod api_tokens;
mod choices;
mod embeddings;
mod generations;
mod images;
mod merge;
mod profiles;
mod sessions;
mod showings;
mod surveys;

use std::{str::FromStr, time::Duration};

use jiff::Timestamp;
use sqlx::{
    Sqlite, SqlitePool, Transaction,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

pub use accounts::{Credentials, OldSession, RegisterError};
pub use admins::SetUpError;
pub use choices::{ChooseError, Judged, MadeChoice, NewChoice, Progress, UndoError};
pub use embeddings::{PendingReading, Reading, StoredEmbedding};
pub use generations::{
    BlendPart, ClaimedGeneration, FinalState, NewGeneration, NewImage, QueueError, QueueLimits,
    Stopped,
};
pub use images::DeleteImagesError;
pub use profiles::{ImportedProfile, NameError};
pub use sessions::Person;
pub use showings::{AskError, CastVote, OwnVote, Participation, Showing, ShownPicture};
pub use surveys::{NewItem, SurveyError};

/// Why the store could not be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The address is not one of SQLite.
    #[error("DATABASE_URL must begin with sqlite:, as in sqlite:predilect.db, but is {0:?}")]
    Address(String),
    /// SQLite refused.
    #[error("cannot open the database {url}: {source}")]
    Connect {
        /// Its address.
        url: String,
        /// What SQLite said.
        source: sqlx::Error,
    },
    /// The tables could not be brought up to date.
    #[error("cannot bring the database {url} up to date: {source}")]
    Migrate {
        /// Its address.
        url: String,
        /// What went wrong.
        source: sqlx::migrate::MigrateError,
    },
}

/// The database.
#[derive(Clone)]
pub struct Store {
    pool: SqlitePool,
}

impl Store {
    /// Opens the database at `url` (`sqlite:PATH`), makes it if it is not there, and
    /// brings its tables up to date.
    ///
    /// # Errors
    /// When the address is not SQLite's, the file can't be opened, or a migration fails.
    pub async fn open(url: &str) -> Result<Self, OpenError> {
        if !url.starts_with("sqlite:") {
            return Err(OpenError::Address(url.into()));
        }
        let connect_error = |source| OpenError::Connect {
            url: url.into(),
            source,
        };
        let options = SqliteConnectOptions::from_str(url)
            .map_err(connect_error)?
            .create_if_missing(true)
            .foreign_keys(true)
            .journal_mode(SqliteJournalMode::Wal)
            // An acknowledged write must survive a power cut, which WAL alone does not promise.
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(Duration::from_secs(10));
        let pool = SqlitePoolOptions::new()
            .max_connections(8)
            .connect_with(options)
            .await
            .map_err(connect_error)?;
        sqlx::migrate!("../migrations/sqlite")
            .run(&pool)
            .await
            .map_err(|source| OpenError::Migrate {
                url: url.into(),
                source,
            })?;
        let store = Self { pool };
        store.fold_prompts().await.map_err(connect_error)?;
        Ok(store)
    }

    /// Whether the database answers.
    ///
    /// # Errors
    /// When it does not.
    pub async fn ping(&self) -> sqlx::Result<()> {
        sqlx::query("SELECT 1").execute(&self.pool).await.map(drop)
    }

    /// Finishes what is being written and closes every connection.
    pub async fn close(&self) {
        self.pool.close().await;
    }

    /// A transaction that holds the write lock from its start: one that takes it later
    /// fails when another writer came between its read and its write.
    async fn write(&self) -> sqlx::Result<Transaction<'static, Sqlite>> {
        self.pool.begin_with("BEGIN IMMEDIATE").await
    }
}

fn now_ms() -> i64 {
    Timestamp::now().as_millisecond()
}

fn rfc3339(ms: i64) -> String {
    Timestamp::from_millisecond(ms)
        .expect("times are stored from the clock, which stays within jiff's range")
        .to_string()
}

fn new_id() -> String {
    uuid::Uuid::new_v4().to_string()
}
