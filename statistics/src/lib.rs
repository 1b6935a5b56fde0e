//! What votes in blind comparisons say: win rates, strengths of several arms, and how sure
//! both are. No web, no database: votes in, numbers out, the same for the page, the API, an
//! export, and the reports on simulated people.
//!
//! Every interval is one of 95 %. Participants vote more than once, and their votes resemble
//! each other; [`WinRate`]'s Wilson intervals take votes for independent, while
//! [`bootstrap()`] and [`bradley_terry()`] count participants as what was sampled.

mod agreement;
mod bootstrap;
mod bradley_terry;
mod interval;
mod linear;
mod rank;
mod response_time;
mod side_bias;
mod vote;
mod win_rate;

pub use agreement::{Agreement, agreement};
pub use bootstrap::{Bootstrap, Cluster, RESAMPLES, bootstrap, cluster_bootstrap};
pub use bradley_terry::{BradleyTerry, BradleyTerryError, Strength, bradley_terry};
pub use interval::{Interval, more_votes_until_decided, wilson};
pub use rank::spearman;
pub use response_time::{ResponseTimes, response_times};
pub use side_bias::{SideBias, side_bias};
pub use vote::{Verdict, Vote};
pub use win_rate::{Rate, Ties, WinRate};
