use std::{fs, path::PathBuf};

use anyhow::Context;

/// Where the server keeps what it stores.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Storage")]
pub struct StorageConfig {
    /// Folder of the database and the pictures; made if it is not there.
    #[arg(
        long,
        env = "PREDILECT_DATA_DIR",
        default_value = ".predilect",
        value_name = "FOLDER"
    )]
    pub data_dir: PathBuf,

    /// The database [default: sqlite:DATA_DIR/predilect.db].
    #[arg(long, env = "DATABASE_URL", value_name = "URL", hide_env_values = true)]
    pub database_url: Option<String>,
}

impl StorageConfig {
    /// Makes the folder if it is not there.
    ///
    /// # Errors
    /// When it can't be made.
    pub fn make_folder(&self) -> anyhow::Result<()> {
        fs::create_dir_all(&self.data_dir)
            .with_context(|| format!("cannot make the data folder {}", self.data_dir.display()))
    }

    /// The database's address.
    #[must_use]
    pub fn database_url(&self) -> String {
        self.database_url
            .clone()
            .unwrap_or_else(|| format!("sqlite:{}", self.data_dir.join("predilect.db").display()))
    }

    /// The folder of finished pictures.
    #[must_use]
    pub fn images_dir(&self) -> PathBuf {
        self.data_dir.join("images")
    }

    /// The file that one running server locks.
    #[must_use]
    pub fn lock_file(&self) -> PathBuf {
        self.data_dir.join("lock")
    }
}
