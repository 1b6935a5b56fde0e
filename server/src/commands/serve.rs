//! `predilect serve`

use std::io::Write;

use anyhow::Context;
use predilect_server::{config::Config, serve::Server};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};
use tracing_subscriber::EnvFilter;

/// Serve the application: the page, the API and the drawing.
///
/// Started in the checkout it needs no setting: the shipped model, the pair bank and the
/// page are found there, and everything it stores goes to the folder .predilect. Every
/// setting has a flag and an environment variable; the flag wins.
///
/// Stop it with Ctrl-C. What was being drawn is drawn after the next start.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  \
    predilect serve\n  \
    predilect serve --listen 0.0.0.0:80 --data-dir /var/lib/predilect\n  \
    PREDILECT_DEVICE=cuda:0 predilect serve --model-dir ~/models\n\n\
    RUST_LOG says how much is logged: RUST_LOG=debug predilect serve")]
pub(crate) struct Arguments {
    #[command(flatten)]
    config: Config,
}

/// Runs the server until it is told to stop.
pub(crate) fn run(arguments: Arguments) -> anyhow::Result<()> {
    let filter = EnvFilter::builder()
        .with_default_directive(tracing::Level::INFO.into())
        .from_env()
        .context("RUST_LOG is not understood")?;
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .init();
    tokio::runtime::Runtime::new()?.block_on(serve(arguments.config))
}

async fn serve(config: Config) -> anyhow::Result<()> {
    // Before the model is loaded: a port that is taken should be heard of at once.
    let listener = TcpListener::bind(config.http.listen)
        .await
        .with_context(|| {
            let address = config.http.listen;
            format!(
                "cannot listen on {address} (choose another address or port with --listen, as in \
                 --listen 127.0.0.1:8081)"
            )
        })?;
    let mut terminate = signal(SignalKind::terminate())?;
    let server = Server::start(&config).await?;
    let address = listener.local_addr()?;
    // In one write: whoever started this program may listen for the first line alone.
    let setup = server.setup_token().map_or_else(String::new, |token| {
        format!(
            "There is no admin yet. `predilect admin create NAME` makes one; so does, once, \
             POST /api/v1/setup with the token {token}\n"
        )
    });
    let announcement = format!("Predilect is at http://{address}\n{setup}");
    std::io::stdout().write_all(announcement.as_bytes())?;
    server
        .serve(listener, async move {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminate.recv() => {}
            }
        })
        .await
}
