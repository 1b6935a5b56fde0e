//! Random numbers that depend on a seed alone: not on the device, the batch or the threads.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use tch::Tensor;

/// A stream of random tensors from one seed. A picture owns its stream, so the same request
/// gives the same picture in whatever batch it is drawn, up to how the batch's size has sums
/// rounded (1/255 at most was seen).
pub struct Noise(ChaCha8Rng);

impl Noise {
    /// Starts the stream of `seed`.
    pub fn new(seed: u64) -> Self {
        Self(ChaCha8Rng::seed_from_u64(seed))
    }

    /// Starts the stream of `seed` at a part of its own, independent of the other parts.
    pub fn stream(seed: u64, part: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(part);
        Self(rng)
    }

    /// The generator itself, for code that draws by the `rand` traits.
    pub fn rng(&mut self) -> &mut ChaCha8Rng {
        &mut self.0
    }

    /// Uniform in [0, 1) with 24 bits, as many as an f32 holds exactly.
    pub fn unit(&mut self) -> f32 {
        (self.0.next_u32() >> 8) as f32 / (1u32 << 24) as f32
    }

    /// A whole number in 0..n, for n ≥ 1.
    pub fn below(&mut self, n: usize) -> usize {
        ((u128::from(self.0.next_u64()) * n as u128) >> 64) as usize
    }

    /// `count` whole numbers in 0..n, for n ≥ 1; one may come twice.
    pub fn indices(&mut self, count: usize, n: usize) -> Vec<usize> {
        (0..count).map(|_| self.below(n)).collect()
    }

    /// `shape` f32 on the CPU, uniform in [-1, 1).
    pub fn uniform(&mut self, shape: &[i64]) -> Tensor {
        let count: i64 = shape.iter().product();
        let values: Vec<f32> = (0..count).map(|_| self.unit() * 2.0 - 1.0).collect();
        Tensor::from_slice(&values).reshape(shape)
    }

    /// `shape` f32 on the CPU, standard normal (Box and Muller, 1958).
    pub fn gaussian(&mut self, shape: &[i64]) -> Tensor {
        let count = shape.iter().product::<i64>() as usize;
        let mut values = Vec::with_capacity(count + 1);
        while values.len() < count {
            // 1 - u lies in (0, 1], where the logarithm is finite.
            let radius = (-2.0 * (1.0 - self.unit()).ln()).sqrt();
            let (sin, cos) = (std::f32::consts::TAU * self.unit()).sin_cos();
            values.push(radius * cos);
            values.push(radius * sin);
        }
        values.truncate(count);
        Tensor::from_slice(&values).reshape(shape)
    }
}
