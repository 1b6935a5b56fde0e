//! One module per subcommand: arguments parsed, the library called, the outcome said.

pub(crate) mod data;
pub(crate) mod serve;
pub(crate) mod train;
