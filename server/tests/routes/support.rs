//! A server on a port of its own, and people who talk to it.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, OnceLock},
    time::Duration,
};

use image::RgbImage;
use predilect_api::{Choice, Generation, GenerationState, Pair, Profile, ProfileState};
use predilect_model::{
    device::{DeviceChoice, DtypeChoice},
    engine::{Engine, EngineConfig},
    preference::pair_bank::PairBankWriter,
};
use predilect_server::{
    config::{Config, HttpConfig, LimitConfig, ModelConfig, StorageConfig},
    serve::Server,
};
use reqwest::{Method, StatusCode, header::HeaderMap};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{net::TcpListener, sync::oneshot, task::JoinHandle};

use crate::documented::expect_documented;

pub(crate) const PAIRS: usize = 9;
/// Long enough for a busy machine, short enough to end a test that hangs.
const PATIENCE: Duration = Duration::from_secs(120);

/// The model that ships.
pub(crate) fn model_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../assets/mini")
}

/// One model for all tests, because they all run in one process.
pub(crate) fn engine() -> Engine {
    static ENGINE: OnceLock<Engine> = OnceLock::new();
    ENGINE.get_or_init(|| start_engine(&model_folder())).clone()
}

pub(crate) fn start_engine(model: &Path) -> Engine {
    let config = EngineConfig {
        device: DeviceChoice::Cpu,
        dtype: DtypeChoice::F32,
        threads: Some(1),
        ..EngineConfig::new(model)
    };
    Engine::start(config).unwrap()
}

/// A bank of noise: what is in the pictures doesn't matter to the routes.
pub(crate) fn write_bank(folder: &Path) {
    let mut writer = PairBankWriter::create(folder, &engine().info().hash).unwrap();
    let noise = |seed: usize| {
        let mut state = seed as u32;
        RgbImage::from_fn(128, 128, |_, _| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            image::Rgb([(state >> 24) as u8, (state >> 16) as u8, (state >> 8) as u8])
        })
    };
    for n in 0..PAIRS {
        writer
            .add(&format!("subject {n}"), &noise(2 * n), &noise(2 * n + 1))
            .unwrap();
    }
    writer.finish().unwrap();
}

pub(crate) struct TestServer {
    pub(crate) address: SocketAddr,
    pub(crate) folder: TempDir,
    /// What makes the first admin, while there is none.
    pub(crate) setup_token: Option<String>,
    stop: oneshot::Sender<()>,
    running: JoinHandle<anyhow::Result<()>>,
}

impl TestServer {
    pub(crate) async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    pub(crate) async fn start_with(change: impl FnOnce(&mut Config)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        write_bank(&folder.path().join("pairs"));
        Self::start_in(folder, change).await
    }

    /// With another model than the one that ships.
    pub(crate) async fn start_drawing_with(model: &Path) -> Self {
        Self::start_with_engine(start_engine(model)).await
    }

    /// With an engine of its own.
    pub(crate) async fn start_with_engine(engine: Engine) -> Self {
        let folder = tempfile::tempdir().unwrap();
        write_bank(&folder.path().join("pairs"));
        Self::start_on(engine, folder, |_| {}).await
    }

    async fn start_in(folder: TempDir, change: impl FnOnce(&mut Config)) -> Self {
        Self::start_on(engine(), folder, change).await
    }

    async fn start_on(engine: Engine, folder: TempDir, change: impl FnOnce(&mut Config)) -> Self {
        let mut config = config(folder.path());
        change(&mut config);
        let server = Server::with_engine(&config, engine).await.unwrap();
        let listener = TcpListener::bind(config.http.listen).await.unwrap();
        let address = listener.local_addr().unwrap();
        let setup_token = server.setup_token();
        let (stop, stopped) = oneshot::channel();
        let running = tokio::spawn(server.serve(listener, async {
            let _ = stopped.await;
        }));
        Self {
            address,
            folder,
            setup_token,
            stop,
            running,
        }
    }

    /// Stops the server cleanly and starts another one on what it stored.
    pub(crate) async fn restart(self) -> Self {
        self.stop.send(()).unwrap();
        self.running.await.unwrap().unwrap();
        Self::start_in(self.folder, |_| {}).await
    }

    /// Somebody with a session of their own.
    pub(crate) async fn person(&self) -> Person {
        let person = self.stranger();
        person
            .post("/api/v1/session", &json!({}))
            .await
            .expect_status(StatusCode::OK);
        person
    }

    /// The first admin, who used the token.
    pub(crate) async fn admin(&self) -> Person {
        let admin = self.stranger();
        let body = json!({"token": self.setup_token, "name": "Admin", "password": "correct horse"});
        admin
            .post("/api/v1/setup", &body)
            .await
            .expect_status(StatusCode::CREATED);
        admin
    }

    /// Somebody without a session.
    pub(crate) fn stranger(&self) -> Person {
        Person::new(&self.base())
    }

    fn base(&self) -> String {
        format!("http://{}", self.address)
    }
}

fn config(folder: &Path) -> Config {
    Config {
        http: HttpConfig {
            listen: ([127, 0, 0, 1], 0).into(),
            web_dir: Some(web_dir(folder)),
            secure_cookies: false,
            trust_forwarded_for: false,
        },
        storage: StorageConfig {
            data_dir: folder.join("data"),
            database_url: None,
        },
        model: ModelConfig {
            model_dir: None,
            pairs_dir: Some(folder.join("pairs")),
            device: DeviceChoice::Cpu,
            dtype: DtypeChoice::F32,
            lite: false,
            max_batch: 16,
            offload: false,
            threads: None,
        },
        limits: LimitConfig {
            concurrency: 2,
            queue_per_person: 16,
            queue_total: 500,
            login_failures_per_name: 10,
            login_failures_per_address: 100,
        },
    }
}

/// A page small enough to read in a test.
fn web_dir(folder: &Path) -> PathBuf {
    let web = folder.join("dist");
    fs::create_dir_all(web.join("assets")).unwrap();
    fs::write(
        web.join("index.html"),
        "<!doctype html><title>Predilect</title>",
    )
    .unwrap();
    fs::write(
        web.join("assets/app-0123456789abcdef.js"),
        "export default 1;",
    )
    .unwrap();
    fs::write(web.join("assets/app-0123456789abcdef.js.br"), "brotli").unwrap();
    web
}

/// A browser, as far as the server can tell.
#[derive(Clone)]
pub(crate) struct Person {
    http: reqwest::Client,
    base: String,
    /// Kept by hand: reqwest's own jar turns on features of shared crates, and building
    /// the tests would build half of the program again.
    cookie: Arc<Mutex<Option<String>>>,
    /// Sent instead of the cookie.
    api_token: Option<String>,
}

impl Person {
    pub(crate) fn new(base: &str) -> Self {
        Self {
            http: reqwest::Client::new(),
            base: base.into(),
            cookie: Arc::default(),
            api_token: None,
        }
    }

    /// A script that acts for this person.
    pub(crate) fn with_api_token(&self, token: &str) -> Self {
        Self {
            api_token: Some(token.into()),
            ..Self::new(&self.base)
        }
    }

    /// A copy of the browser as it is now, whose cookie goes its own way from here.
    pub(crate) fn copied(&self) -> Self {
        Self {
            cookie: Arc::new(Mutex::new(self.cookie.lock().unwrap().clone())),
            ..self.clone()
        }
    }

    /// The same browser, cookies and all, talking to a server that was started again.
    pub(crate) fn at(&self, server: &TestServer) -> Self {
        self.moved_to(&server.base())
    }

    pub(crate) fn moved_to(&self, base: &str) -> Self {
        Self {
            base: base.into(),
            ..self.clone()
        }
    }
}

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    #[track_caller]
    pub(crate) fn expect_status(self, status: StatusCode) -> Self {
        assert_eq!(
            self.status,
            status,
            "{}",
            String::from_utf8_lossy(&self.body)
        );
        self
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|_| panic!("no JSON: {}", String::from_utf8_lossy(&self.body)))
    }

    #[track_caller]
    pub(crate) fn read<T: serde::de::DeserializeOwned>(&self) -> T {
        serde_json::from_value(self.json()).unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    /// The problem document, checked for what every one must have.
    #[track_caller]
    pub(crate) fn expect_problem(self, status: StatusCode, kind: &str) -> Value {
        let answer = self.expect_status(status);
        assert_eq!(answer.header("content-type"), "application/problem+json");
        let problem = answer.json();
        assert_eq!(problem["type"], format!("urn:predilect:problem:{kind}"));
        assert_eq!(problem["status"], status.as_u16());
        assert!(!problem["title"].as_str().unwrap().is_empty());
        assert!(!problem["detail"].as_str().unwrap().is_empty());
        problem
    }

    /// A problem that names one field.
    #[track_caller]
    pub(crate) fn expect_field_error(self, status: StatusCode, kind: &str, field: &str) -> String {
        let problem = self.expect_problem(status, kind);
        let error = &problem["errors"][0];
        assert_eq!(error["field"], field, "{problem}");
        error["message"].as_str().unwrap().to_owned()
    }
}

/// A server-sent event.
#[derive(Debug)]
pub(crate) struct SentEvent {
    pub(crate) id: u64,
    pub(crate) name: String,
    pub(crate) data: Value,
}

impl Person {
    pub(crate) fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.base));
        if let Some(token) = &self.api_token {
            return request.bearer_auth(token);
        }
        match &*self.cookie.lock().unwrap() {
            Some(cookie) => request.header("cookie", cookie),
            None => request,
        }
    }

    pub(crate) async fn send(&self, request: reqwest::RequestBuilder) -> Answer {
        let request = request.build().unwrap();
        let (method, path) = (request.method().clone(), request.url().path().to_owned());
        let response = self.http.execute(request).await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        if let Some(cookie) = headers.get("set-cookie") {
            let pair = cookie.to_str().unwrap().split(';').next().unwrap();
            *self.cookie.lock().unwrap() = Some(pair.to_owned());
        }
        let body = tokio::time::timeout(PATIENCE, response.bytes())
            .await
            .unwrap()
            .unwrap();
        let answer = Answer {
            status,
            headers,
            body: body.into(),
        };
        expect_documented(&method, &path, &answer);
        answer
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(self.request(Method::GET, path)).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.send(self.request(Method::DELETE, path)).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send(self.request(Method::POST, path).json(body)).await
    }

    pub(crate) async fn patch(&self, path: &str, body: &Value) -> Answer {
        self.send(self.request(Method::PATCH, path).json(body))
            .await
    }

    pub(crate) async fn put(&self, path: &str, body: &Value) -> Answer {
        self.send(self.request(Method::PUT, path).json(body)).await
    }

    /// Makes an account of this session.
    pub(crate) async fn register(&self, name: &str, password: &str) {
        self.post(
            "/api/v1/account",
            &json!({"name": name, "password": password}),
        )
        .await
        .expect_status(StatusCode::CREATED);
    }

    pub(crate) async fn log_in(&self, name: &str, password: &str) -> Answer {
        let body = json!({"name": name, "password": password});
        self.post("/api/v1/session/login", &body).await
    }

    pub(crate) async fn next_pair(&self) -> Pair {
        self.get("/api/v1/pairs/next")
            .await
            .expect_status(StatusCode::OK)
            .read()
    }

    /// Judges the next pair.
    pub(crate) async fn choose(&self, choice: Choice) -> Value {
        let pair = self.next_pair().await;
        let body = json!({"pair_id": pair.id, "choice": choice});
        self.post("/api/v1/choices", &body)
            .await
            .expect_status(StatusCode::OK)
            .json()
    }

    /// Makes four counted choices; returns the profile's id.
    pub(crate) async fn choose_four(&self) -> String {
        for choice in [Choice::Left, Choice::Right, Choice::Left] {
            self.choose(choice).await;
        }
        self.choose(Choice::Right).await["profile_id"]
            .as_str()
            .unwrap()
            .to_owned()
    }

    /// Makes a profile with a name and waits until it is ready.
    pub(crate) async fn profile(&self, name: &str) -> Profile {
        let id = self.choose_four().await;
        self.post("/api/v1/profiles", &json!({"name": name}))
            .await
            .expect_status(StatusCode::CREATED);
        self.ready_profile(&id).await
    }

    pub(crate) async fn ready_profile(&self, id: &str) -> Profile {
        let wait = async {
            loop {
                let profile: Profile = self.get(&format!("/api/v1/profiles/{id}")).await.read();
                if profile.state != ProfileState::Pending {
                    return profile;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        let profile = tokio::time::timeout(PATIENCE, wait).await.unwrap();
        assert_eq!(profile.state, ProfileState::Ready, "{:?}", profile.failure);
        profile
    }

    pub(crate) async fn generate(&self, body: &Value) -> Generation {
        self.post("/api/v1/generations", body)
            .await
            .expect_status(StatusCode::CREATED)
            .read()
    }

    pub(crate) async fn generation(&self, id: &str) -> Generation {
        self.get(&format!("/api/v1/generations/{id}"))
            .await
            .expect_status(StatusCode::OK)
            .read()
    }

    /// Returns once the generation is being drawn.
    pub(crate) async fn begins(&self, id: &str) {
        let begun = async {
            while self.generation(id).await.state == GenerationState::Queued {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(PATIENCE, begun).await.unwrap();
    }

    /// Follows a generation to the end of its stream.
    pub(crate) async fn events(&self, id: &str, last_event_id: Option<u64>) -> Vec<SentEvent> {
        let mut request = self.request(Method::GET, &format!("/api/v1/generations/{id}/events"));
        if let Some(last) = last_event_id {
            request = request.header("Last-Event-ID", last);
        }
        let answer = self.send(request).await.expect_status(StatusCode::OK);
        assert_eq!(answer.header("content-type"), "text/event-stream");
        assert_eq!(
            answer.header("content-encoding"),
            "",
            "a compressed stream is held back"
        );
        parse_events(std::str::from_utf8(&answer.body).unwrap())
    }

    /// Draws and waits for the end.
    pub(crate) async fn drawn(&self, body: &Value) -> Generation {
        let generation = self.generate(body).await;
        self.events(&generation.id.0, None).await;
        self.generation(&generation.id.0).await
    }
}

fn parse_events(text: &str) -> Vec<SentEvent> {
    text.split("\n\n")
        .filter(|block| block.contains("event:"))
        .map(|block| {
            let field = |name: &str| {
                block
                    .lines()
                    .find_map(|line| line.strip_prefix(name))
                    .unwrap()
                    .trim()
                    .to_owned()
            };
            SentEvent {
                id: field("id:").parse().unwrap(),
                name: field("event:"),
                data: serde_json::from_str(&field("data:")).unwrap(),
            }
        })
        .collect()
}
