//! From settings to a running server, and to a clean stop.

use std::{
    fs::{File, TryLockError},
    net::SocketAddr,
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, bail};
use axum::Router;
use predilect_model::{
    engine::{Engine, ModelInfo},
    memory::{gib, peak_resident_bytes},
    preference::pair_bank::PairBank,
};
use tokio::{net::TcpListener, task::JoinSet};

use crate::{
    app::{App, AppState},
    attempts::{AttemptLimits, Attempts},
    config::{Config, StorageConfig},
    files::Files,
    http,
    jobs::{self, Jobs},
    pair_order::PairOrder,
    parse::GenerationLimits,
    passwords::Passwords,
    store::{QueueLimits, Store},
    token::Token,
};

/// Workers that are still busy after it are left behind; the next start takes up their work.
const STOP_WITHIN: Duration = Duration::from_secs(10);

/// A server that is ready to take requests.
pub struct Server {
    app: AppState,
    router: Router,
    workers: JoinSet<()>,
    setup: Option<Token>,
    /// Held as long as the server lives.
    _lock: File,
}

impl Server {
    /// Opens the store, loads the model and the pair bank, and starts the workers.
    ///
    /// # Errors
    /// When a part is missing or broken, or another server uses the same folder.
    pub async fn start(config: &Config) -> anyhow::Result<Self> {
        let lock = lock(&config.storage)?;
        Self::assemble(config, load_engine(config).await?, lock).await
    }

    /// The same with a model that is loaded already.
    ///
    /// # Errors
    /// When a part is missing or broken, or another server uses the same folder.
    pub async fn with_engine(config: &Config, engine: Engine) -> anyhow::Result<Self> {
        Self::assemble(config, engine, lock(&config.storage)?).await
    }

    async fn assemble(config: &Config, engine: Engine, lock: File) -> anyhow::Result<Self> {
        let bank = PairBank::load(&config.model.pairs_dir()?)?;
        if bank.model_hash() != engine.info().drawing_hash {
            tracing::warn!("the pair bank was drawn by other weights than those loaded");
        }
        let images_dir = config.storage.images_dir();
        let app = Arc::new(App {
            store: Store::open(&config.storage.database_url()).await?,
            files: Files::open(&images_dir)
                .with_context(|| format!("cannot keep pictures in {}", images_dir.display()))?,
            limits: GenerationLimits::of(engine.info()),
            engine,
            pair_order: PairOrder::of(&bank)?,
            bank,
            jobs: Jobs::default(),
            queue_limits: QueueLimits {
                per_person: config.limits.queue_per_person,
                total: config.limits.queue_total,
            },
            concurrency: config.limits.concurrency.into(),
            passwords: Passwords::new()?,
            attempts: Attempts::new(AttemptLimits {
                per_name: config.limits.login_failures_per_name,
                per_address: config.limits.login_failures_per_address,
            }),
            secure_cookies: config.http.secure_cookies,
            trust_forwarded_for: config.http.trust_forwarded_for,
        });
        let setup = Token::random();
        let setup_open = app.store.open_admin_setup(&setup.hash()).await?;
        let workers = jobs::start(&app).await?;
        let web_dir = config.http.web_dir();
        if web_dir.is_none() {
            tracing::warn!(
                "the page is not built, so only the API is served: cargo xtask build-web"
            );
        }
        let router = http::router(app.clone(), web_dir.as_deref());
        Ok(Self {
            app,
            router,
            workers,
            setup: setup_open.then_some(setup),
            _lock: lock,
        })
    }

    /// What makes the first admin, once, with `POST /api/v1/setup`; none when there is an admin.
    #[must_use]
    pub fn setup_token(&self) -> Option<String> {
        self.setup.as_ref().map(Token::to_text)
    }

    /// Serves on `listener` until `stop` resolves, then stops cleanly: requests are
    /// answered, streams end, and what is being drawn goes back to the queue.
    ///
    /// # Errors
    /// When the listener fails.
    pub async fn serve(
        self,
        listener: TcpListener,
        stop: impl Future<Output = ()> + Send + 'static,
    ) -> anyhow::Result<()> {
        let Self {
            app,
            router,
            mut workers,
            setup: _,
            _lock,
        } = self;
        let stopping = app.clone();
        let stop = async move {
            stop.await;
            tracing::info!("stopping");
            stopping.jobs.close();
        };
        let router = router.into_make_service_with_connect_info::<SocketAddr>();
        axum::serve(listener, router)
            .with_graceful_shutdown(stop)
            .await?;
        let stopped = tokio::time::timeout(STOP_WITHIN, async {
            while workers.join_next().await.is_some() {}
        });
        if stopped.await.is_err() {
            tracing::warn!("some work did not stop in time; the next start takes it up again");
        }
        app.store.close().await;
        Ok(())
    }
}

/// Two servers on one folder would each draw what the other is drawing.
fn lock(storage: &StorageConfig) -> anyhow::Result<File> {
    storage.make_folder()?;
    let folder = storage.data_dir.display();
    let path = storage.lock_file();
    let file = File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => bail!(
            "another predilect uses the data folder {folder}; stop it, or give this one another \
             folder with --data-dir"
        ),
        Err(TryLockError::Error(error)) => {
            Err(error).with_context(|| format!("cannot lock {}", path.display()))
        }
    }
}

async fn load_engine(config: &Config) -> anyhow::Result<Engine> {
    let engine = config.model.engine()?;
    let folder = engine.model_dir.display().to_string();
    tracing::info!(folder, "loading the model");
    let engine = tokio::task::spawn_blocking(move || Engine::start(engine))
        .await?
        .with_context(|| format!("cannot load the model in {folder}"))?;
    tell_of(engine.info());
    Ok(engine)
}

/// Logs what was loaded and what it took.
fn tell_of(model: &ModelInfo) {
    let peak = peak_resident_bytes().map(|bytes| format!("{:.2} GiB", gib(bytes)));
    tracing::info!(
        name = model.name,
        parameters = model.parameters,
        adapter_parameters = model.preference_adapter,
        device = model.device,
        peak_memory = peak.unwrap_or_else(|| "unknown".into()),
        "the model is loaded"
    );
    if model.preference_adapter.is_none() {
        tracing::warn!(
            "the model has no preference adapter, so it draws its base model's pictures only: \
             profiles can be made, and a drawing for one is refused"
        );
    }
}
