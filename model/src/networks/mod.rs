//! One file per network, named as in its paper; each is a pure function of tensors, driven
//! by the reference library's configuration fields.

pub mod layers;
pub mod paella_vq;
pub mod preference_attention;
pub mod stable_cascade_unet;
