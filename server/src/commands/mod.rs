//! One module per subcommand: arguments parsed, the library called, the outcome said.

pub(crate) mod admin;
pub(crate) mod data;
pub(crate) mod eval;
pub(crate) mod model;
pub(crate) mod pairs;
mod prompts;
pub(crate) mod serve;
pub(crate) mod train;
pub(crate) mod users;
