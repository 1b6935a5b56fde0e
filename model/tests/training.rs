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
    Budget, Metrics, OptimizerOptions, Stage, StepContext, TrainError, TrainOptions, train,
};
use predilect_model::weights::{Init, Parameter, Params};
use tch::{Device, Kind, Tensor};

/// torch's generator belongs to the process, which in use trains one stage; tests take turns.
static GENERATOR: Mutex<()> = Mutex::new(());

/// Fits y = x·W to a fixed W; stops itself at a step when told to.
struct Regression {
    params: Params,
    weight: Tensor,
    stop_at: Option<(u64, Arc<AtomicBool>)>,
}

impl Regression {
    fn new(kind: Kind, stop_at: Option<(u64, Arc<AtomicBool>)>) -> Self {
        let params = Params::random(3, kind, Device::Cpu);
        let weight = params.tensor("weight", &[4, 4], Init::FanIn).unwrap();
        Self {
            params,
            weight,
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
            "other"
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
