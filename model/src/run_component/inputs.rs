//! The input tensors of a run, checked as they are asked for.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::Path;

use tch::{Device, Kind, Tensor};

use super::RunError;
use crate::weights::{Checkpoint, WeightsError};

/// One dimension of the shape that an input needs.
#[derive(Debug, Clone, Copy)]
pub(super) enum Dim {
    /// Any size of at least 1, by this name.
    Any(&'static str),
    /// This size.
    Is(i64),
}

fn describe(shape: &[Dim]) -> String {
    let dims: Vec<String> = shape
        .iter()
        .map(|dim| match dim {
            Dim::Any(name) => (*name).to_owned(),
            Dim::Is(size) => size.to_string(),
        })
        .collect();
    format!("[{}]", dims.join(", "))
}

fn fits(found: &[i64], shape: &[Dim]) -> bool {
    found.len() == shape.len()
        && found.iter().zip(shape).all(|(&size, dim)| match dim {
            Dim::Any(_) => size > 0,
            Dim::Is(expected) => size == *expected,
        })
}

/// A safetensors file of inputs.
pub(super) struct Inputs {
    files: Checkpoint,
    kind: Kind,
    device: Device,
    asked: RefCell<BTreeSet<&'static str>>,
}

impl Inputs {
    /// Opens the file; floating-point inputs will be of `kind`, all on `device`.
    pub(super) fn open(path: &Path, kind: Kind, device: Device) -> Result<Self, WeightsError> {
        Ok(Self {
            files: Checkpoint::open_path(path)?,
            kind,
            device,
            asked: RefCell::default(),
        })
    }

    /// A tensor in the file's own dtype, of any shape in `shapes`, if it is there.
    pub(super) fn any_of(
        &self,
        name: &'static str,
        shapes: &[&[Dim]],
    ) -> Result<Option<Tensor>, RunError> {
        self.asked.borrow_mut().insert(name);
        if !self.files.contains(name) {
            return Ok(None);
        }
        let found = self.files.shape(name)?;
        if !shapes.iter().any(|shape| fits(&found, shape)) {
            let expected: Vec<String> = shapes.iter().map(|shape| describe(shape)).collect();
            return Err(RunError::InputShape {
                name,
                found,
                expected: expected.join(" or "),
            });
        }
        Ok(Some(self.files.tensor(name, self.device)?))
    }

    /// [`Self::any_of`] one shape, in the run's dtype.
    pub(super) fn optional(
        &self,
        name: &'static str,
        shape: &[Dim],
    ) -> Result<Option<Tensor>, RunError> {
        let found = self.any_of(name, &[shape])?;
        Ok(found.map(|tensor| tensor.to_kind(self.kind)))
    }

    /// A tensor that must be there, in the run's dtype.
    pub(super) fn float(&self, name: &'static str, shape: &[Dim]) -> Result<Tensor, RunError> {
        self.optional(name, shape)?
            .ok_or_else(|| missing(name, shape))
    }

    /// A tensor `[batch, …]` of one dimension or more that must be there, in the run's dtype.
    pub(super) fn float_of_any_rank(&self, name: &'static str) -> Result<Tensor, RunError> {
        let rank = match self.files.contains(name) {
            true => self.files.shape(name)?.len(),
            false => 1,
        };
        self.float(name, &vec![Dim::Any("any"); rank.max(1)])
    }

    /// Timesteps that must be there, in the file's own dtype: between 0.35 and its nearest
    /// bfloat16 lie many periods of a timestep embedding.
    pub(super) fn timesteps(&self, name: &'static str, shape: &[Dim]) -> Result<Tensor, RunError> {
        self.any_of(name, &[shape])?
            .ok_or_else(|| missing(name, shape))
    }

    /// Whole numbers, as i64, if they are there.
    pub(super) fn optional_integers(
        &self,
        name: &'static str,
        shape: &[Dim],
    ) -> Result<Option<Tensor>, RunError> {
        let Some(tensor) = self.any_of(name, &[shape])? else {
            return Ok(None);
        };
        match tensor.kind() {
            Kind::Int64 | Kind::Int | Kind::Uint8 | Kind::Bool => {
                Ok(Some(tensor.to_kind(Kind::Int64)))
            }
            found => Err(RunError::InputDtype { name, found }),
        }
    }

    /// Whole numbers from `least` to `most`, as i64, that must be there.
    pub(super) fn integers(
        &self,
        name: &'static str,
        shape: &[Dim],
        (least, most): (i64, i64),
    ) -> Result<Tensor, RunError> {
        let tensor = self
            .optional_integers(name, shape)?
            .ok_or_else(|| missing(name, shape))?;
        let bounds = (tensor.min().int64_value(&[]), tensor.max().int64_value(&[]));
        match bounds.0 >= least && bounds.1 <= most {
            true => Ok(tensor),
            false => Err(RunError::InputRange {
                name,
                least: bounds.0,
                most: bounds.1,
                allowed: format!("{least} to {most}"),
            }),
        }
    }

    /// Tensors of the file that nobody asked for.
    pub(super) fn unread(&self) -> Vec<String> {
        let asked = self.asked.borrow();
        let mut unread: Vec<String> = self
            .files
            .names()
            .filter(|name| !asked.contains(name))
            .map(str::to_owned)
            .collect();
        unread.sort_unstable();
        unread
    }
}

pub(super) fn missing(name: &'static str, shape: &[Dim]) -> RunError {
    RunError::MissingInput {
        name,
        shape: describe(shape),
    }
}
