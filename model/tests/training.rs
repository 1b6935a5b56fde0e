//! A training that is stopped and continued is the same as one that is not.
#![allow(
    clippy::unwrap_used,
    reason = "a helper of a test that panics has failed the test"
)]

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use predilect_model::training::{
    Budget, Identity, Metrics, OptimizerOptions, Settings, Stage, StepContext, TrainError,
    TrainOptions, train,
};
use predilect_model::weights::{Init, Parameter, Params};
use tch::{Device, Kind, Tensor};

/// torch's generator belongs to the process, which in use trains one stage; tests take turns.
static GENERATOR: Mutex<()> = Mutex::new(());

/// Fits y = x·W to a fixed W; stops itself at a step when told to.
struct Regression {
    params: Params,
    weight: Tensor,
    fixed: Tensor,
    stop_at: Option<(u64, Arc<AtomicBool>)>,
}

impl Regression {
    fn new(kind: Kind, stop_at: Option<(u64, Arc<AtomicBool>)>) -> Self {
        let params = Params::random(3, kind, Device::Cpu);
        let weight = params.tensor("weight", &[4, 4], Init::FanIn).unwrap();
        Self {
            params,
            weight,
            fixed: Tensor::zeros([2], (kind, Device::Cpu)),
            stop_at,
        }
    }
}

impl Stage for Regression {
    fn name(&self) -> &'static str {
        "regression"
    }

    fn parameters(&self) -> Vec<Parameter> {
        self.params.taken()
    }

    fn fixed(&self) -> Vec<Parameter> {
        vec![Parameter {
            name: "fixed".into(),
            tensor: self.fixed.shallow_clone(),
            trainable: false,
        }]
    }

    fn loss(&mut self, context: &mut StepContext) -> (Tensor, Vec<(&'static str, Tensor)>) {
        if let Some((step, stop)) = &self.stop_at
            && context.step + 1 == *step
        {
            stop.store(true, Ordering::Relaxed);
        }
        let x = context.noise.gaussian(&[8, 4]) + Tensor::randn([8, 4], (Kind::Float, Device::Cpu));
        let wanted = &x * 2.0;
        let predicted = x
            .to_kind(self.params.kind())
            .matmul(&self.weight)
            .to_kind(Kind::Float);
        (
            predicted.mse_loss(&wanted, tch::Reduction::Mean),
            Vec::new(),
        )
    }

    fn evaluate(&mut self, _: &Path, _: u64) -> Result<Metrics, TrainError> {
        let identity = Tensor::eye(4, (Kind::Float, Device::Cpu)) * 2.0;
        let distance = (self.weight.to_kind(Kind::Float) - identity).abs().max();
        Ok(vec![("distance", distance.double_value(&[]))])
    }
}

fn options(dir: &Path, stop: Arc<AtomicBool>) -> TrainOptions {
    TrainOptions {
        dir: dir.into(),
        budget: Budget::Steps(400),
        lr: 0.05,
        warmup: 10,
        batch: 8,
        seed: 1,
        identity: Identity::default(),
        checkpoint_every: Duration::from_secs(3600),
        sample_every: 400,
        stop,
        optimizer: OptimizerOptions {
            ema_decay: 0.9,
            ..Default::default()
        },
    }
}

fn finished(kind: Kind, dir: &Path) -> Vec<f32> {
    let mut stage = Regression::new(kind, None);
    let weights = train(&mut stage, &options(dir, Arc::default())).unwrap();
    let (_, weight) = &weights.expect("nothing stops this training")[0];
    Vec::<f32>::try_from(&weight.to_kind(Kind::Float).view(-1)).unwrap()
}

#[test]
fn training_fits_in_f32_and_in_bf16() {
    let _turn = GENERATOR.lock().unwrap_or_else(PoisonError::into_inner);
    for kind in [Kind::Float, Kind::BFloat16] {
        let dir = tempfile::tempdir().unwrap();
        let weight = finished(kind, dir.path());
        for (i, value) in weight.iter().enumerate() {
            let wanted = if i % 5 == 0 { 2.0 } else { 0.0 };
            assert!((value - wanted).abs() < 0.05, "{kind:?}: {weight:?}");
        }
    }
}

#[test]
fn a_stopped_training_goes_on_as_if_it_had_not_been() {
    let _turn = GENERATOR.lock().unwrap_or_else(PoisonError::into_inner);
    let unbroken = tempfile::tempdir().unwrap();
    let expected = finished(Kind::Float, unbroken.path());

    let broken = tempfile::tempdir().unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let mut first = Regression::new(Kind::Float, Some((123, stop.clone())));
    let outcome = train(&mut first, &options(broken.path(), stop)).unwrap();
    assert!(outcome.is_none(), "a stopped training has no result");
    assert_eq!(finished(Kind::Float, broken.path()), expected);
}

#[test]
fn a_checkpoint_of_another_network_is_refused() {
    let _turn = GENERATOR.lock().unwrap_or_else(PoisonError::into_inner);
    let dir = tempfile::tempdir().unwrap();
    finished(Kind::Float, dir.path());
    struct Other(Params);
    impl Stage for Other {
        fn name(&self) -> &'static str {
            "regression"
        }
        fn parameters(&self) -> Vec<Parameter> {
            self.0.taken()
        }
        fn loss(&mut self, _: &mut StepContext) -> (Tensor, Vec<(&'static str, Tensor)>) {
            unreachable!("the checkpoint is refused before the first step")
        }
        fn evaluate(&mut self, _: &Path, _: u64) -> Result<Metrics, TrainError> {
            Ok(Vec::new())
        }
    }
    let params = Params::random(3, Kind::Float, Device::Cpu);
    let _ = params.tensor("weight", &[5, 5], Init::FanIn).unwrap();
    let error = train(&mut Other(params), &options(dir.path(), Arc::default())).unwrap_err();
    assert!(error.to_string().contains("has shape [4, 4]"), "{error}");
}

/// Trains to a third and stops there.
fn stopped(dir: &Path, options: &TrainOptions, fixed: f64) {
    let stop = Arc::new(AtomicBool::new(false));
    let mut stage = Regression::new(Kind::Float, Some((133, stop.clone())));
    stage.fixed += fixed;
    let options = TrainOptions {
        dir: dir.into(),
        stop,
        ..options.clone()
    };
    assert!(train(&mut stage, &options).unwrap().is_none());
}

fn settings(name: &str, value: &str) -> Settings {
    [(name.to_owned(), value.to_owned())].into()
}

#[test]
fn what_is_not_trained_is_as_it_was_at_the_start_of_a_continued_training() {
    let _turn = GENERATOR.lock().unwrap_or_else(PoisonError::into_inner);
    let dir = tempfile::tempdir().unwrap();
    let options = options(dir.path(), Arc::default());
    stopped(dir.path(), &options, 3.0);
    let mut stage = Regression::new(Kind::Float, None);
    let weights = train(&mut stage, &options).unwrap().unwrap();
    let (_, fixed) = weights.iter().find(|(name, _)| name == "fixed").unwrap();
    assert_eq!(
        fixed,
        &Tensor::from_slice(&[3.0f32; 2]).to_kind(Kind::BFloat16)
    );
    assert_eq!(stage.fixed, Tensor::from_slice(&[3.0f32; 2]));
}

#[test]
fn a_checkpoint_of_another_training_is_refused_and_says_in_what() {
    let _turn = GENERATOR.lock().unwrap_or_else(PoisonError::into_inner);
    let dir = tempfile::tempdir().unwrap();
    let mut options = options(dir.path(), Arc::default());
    options.identity.origin = settings("--seed", "1");
    stopped(dir.path(), &options, 0.0);

    let mut other = options.clone();
    other.identity.origin = settings("--seed", "2");
    let error = train(&mut Regression::new(Kind::Float, None), &other).unwrap_err();
    let told = error.to_string();
    assert!(told.contains("--seed was 1 and is 2"), "{told}");
    assert!(told.contains("--work") && !told.contains('\n'), "{told}");

    struct Renamed(Regression);
    impl Stage for Renamed {
        fn name(&self) -> &'static str {
            "renamed"
        }
        fn parameters(&self) -> Vec<Parameter> {
            self.0.parameters()
        }
        fn loss(&mut self, context: &mut StepContext) -> (Tensor, Vec<(&'static str, Tensor)>) {
            self.0.loss(context)
        }
        fn evaluate(&mut self, dir: &Path, step: u64) -> Result<Metrics, TrainError> {
            self.0.evaluate(dir, step)
        }
    }
    let mut renamed = Renamed(Regression::new(Kind::Float, None));
    let told = train(&mut renamed, &options).unwrap_err().to_string();
    assert!(told.contains("regression"), "{told}");
}

#[test]
fn the_pace_may_change_while_a_training_lasts_and_not_after() {
    let _turn = GENERATOR.lock().unwrap_or_else(PoisonError::into_inner);
    let dir = tempfile::tempdir().unwrap();
    let mut options = options(dir.path(), Arc::default());
    options.identity.pace = settings("--lr", "0.05");
    stopped(dir.path(), &options, 0.0);
    options.lr = 0.02;
    options.identity.pace = settings("--lr", "0.02");
    let run = |options: &TrainOptions| train(&mut Regression::new(Kind::Float, None), options);
    assert!(run(&options).unwrap().is_some());
    assert!(
        run(&options).unwrap().is_some(),
        "the result is still there"
    );
    options.identity.pace = settings("--lr", "0.01");
    let told = run(&options).unwrap_err().to_string();
    assert!(told.contains("--lr was 0.02 and is 0.01"), "{told}");
}
