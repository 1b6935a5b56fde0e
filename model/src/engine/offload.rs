//! Weights that wait in the CPU's memory until what they belong to is run.

use tch::{Device, Tensor};

use crate::pipeline::Stage;
use crate::shim;
use crate::weights::Params;

/// What is on the device together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Group {
    /// The vision-language model.
    Read,
    /// A stage of drawing.
    Draw(Stage),
}

/// A weight of a network.
struct Weight {
    group: Group,
    /// The network's own handle: what its data is set to, the network computes with.
    used: Tensor,
    /// The number's home in the CPU's memory; they do not change, so nothing is ever copied back.
    kept: Tensor,
}

/// Moves one group at a time to the device. On a CPU a move is none: the memory is the same.
pub(super) struct Offload {
    device: Device,
    weights: Vec<Weight>,
    pub(super) resident: Option<Group>,
}

impl Offload {
    /// Takes charge of parameters that are in the CPU's memory.
    pub(super) fn new<'a>(
        groups: impl IntoIterator<Item = (Group, &'a Params)>,
        device: Device,
    ) -> Self {
        let weights = groups.into_iter().flat_map(|(group, params)| {
            params.taken().into_iter().map(move |parameter| Weight {
                group,
                kept: parameter.tensor.detach(),
                used: parameter.tensor,
            })
        });
        Self {
            device,
            weights: weights.collect(),
            resident: None,
        }
    }

    /// Moves the weights of `group` to the device, after taking all others away from it; nothing
    /// when they are there.
    ///
    /// # Panics
    /// When libtorch has no memory for them; then none counts as there.
    pub(super) fn bring(&mut self, group: Group) {
        if self.resident.replace(group) == Some(group) {
            return;
        }
        // Nobody knows what is there if the next lines end half way.
        self.resident = None;
        for weight in &mut self.weights {
            if weight.used.device() != Device::Cpu {
                weight.used.set_data(&weight.kept);
            }
        }
        shim::empty_cache();
        for weight in self.weights.iter_mut().filter(|w| w.group == group) {
            weight.used.set_data(&weight.kept.to_device(self.device));
        }
        self.resident = Some(group);
    }

    /// Which stage is run next, of those that drawings wait at: the one that is there as long as
    /// any needs it, else the earliest, so that all come to the later one together.
    pub(super) fn next(&self, waiting: &[Stage]) -> Option<Stage> {
        let there = match self.resident {
            Some(Group::Draw(stage)) => Some(stage),
            _ => None,
        };
        let order = there.into_iter().chain([Stage::Prior, Stage::Decoder]);
        let mut needed = order.filter(|stage| waiting.contains(stage));
        needed.next()
    }
}

#[cfg(test)]
mod tests {
    use tch::Kind;

    use super::*;
    use crate::weights::Init;

    const PRIOR: Group = Group::Draw(Stage::Prior);

    /// One weight of the prior as its network has it, and its keeper.
    fn parked() -> (Tensor, Offload) {
        let params = Params::random(1, Kind::Float, Device::Cpu);
        let weight = params.tensor("weight", &[3], Init::Const(2.0)).unwrap();
        let offload = Offload::new([(PRIOR, &params)], Device::Cpu);
        (weight, offload)
    }

    #[test]
    fn what_is_there_is_run_until_nothing_waits_for_it() {
        let (_, mut offload) = parked();
        use Stage::{Decoder, Prior};
        assert_eq!(offload.next(&[]), None);
        assert_eq!(offload.next(&[Decoder, Prior]), Some(Prior));
        offload.bring(Group::Draw(Decoder));
        assert_eq!(offload.next(&[Prior, Decoder]), Some(Decoder));
        assert_eq!(offload.next(&[Prior]), Some(Prior));
        for other in [Group::Draw(Stage::Text), Group::Read] {
            offload.bring(other);
            assert_eq!(offload.next(&[Decoder, Prior]), Some(Prior));
            assert_eq!(offload.next(&[Decoder]), Some(Decoder));
        }
    }

    #[test]
    fn a_network_computes_with_what_was_brought_last() {
        let (weight, mut offload) = parked();
        // As if it had been moved: other memory than what the network was made with.
        offload.weights[0].kept = Tensor::from_slice(&[1f32, 2.0, 3.0]);
        offload.bring(Group::Read);
        assert_eq!(weight.double_value(&[2]), 2.0, "another group is another's");
        offload.bring(PRIOR);
        assert_eq!(weight.double_value(&[2]), 3.0);
        offload.weights[0].kept = Tensor::from_slice(&[4f32, 5.0, 6.0]);
        offload.bring(PRIOR);
        assert_eq!(
            weight.double_value(&[2]),
            3.0,
            "what is there is not moved again"
        );
    }
}
