use std::{net::SocketAddr, path::PathBuf};

use clap::builder::FalseyValueParser;

use super::locate;

/// Where the server listens and what it shows there.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Web")]
pub struct HttpConfig {
    /// Address and port to listen on; 0.0.0.0:8080 for all networks.
    #[arg(
        long,
        env = "PREDILECT_LISTEN",
        default_value = "127.0.0.1:8080",
        value_name = "ADDRESS"
    )]
    pub listen: SocketAddr,

    /// Folder of the built page [default: dist/ of the working directory or the checkout].
    #[arg(long, env = "PREDILECT_WEB_DIR", value_name = "FOLDER")]
    pub web_dir: Option<PathBuf>,

    /// Send the session's cookie over HTTPS only. Turn it on behind a proxy that speaks HTTPS.
    #[arg(long, env = "PREDILECT_SECURE_COOKIES", value_parser = FalseyValueParser::new())]
    pub secure_cookies: bool,

    /// Take a client's address from the last entry of X-Forwarded-For. Turn it on only behind a
    /// proxy that writes this entry; else anybody can make one up.
    #[arg(
        long,
        env = "PREDILECT_TRUST_FORWARDED_FOR",
        value_parser = FalseyValueParser::new()
    )]
    pub trust_forwarded_for: bool,
}

impl HttpConfig {
    /// The folder of the page, where it is built.
    #[must_use]
    pub fn web_dir(&self) -> Option<PathBuf> {
        match &self.web_dir {
            Some(folder) => folder.join("index.html").is_file().then(|| folder.clone()),
            None => locate::find("dist", "index.html").ok(),
        }
    }
}
