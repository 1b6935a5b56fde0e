/// How much the server takes on.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Limits")]
pub struct LimitConfig {
    /// Generations drawn at a time; the model does their steps together.
    #[arg(long, env = "PREDILECT_CONCURRENCY", default_value_t = 4,
        value_parser = clap::value_parser!(u16).range(1..=256))]
    pub concurrency: u16,

    /// Unfinished generations one person may have.
    #[arg(long, env = "PREDILECT_QUEUE_PER_PERSON", default_value_t = 16,
        value_parser = clap::value_parser!(u32).range(1..))]
    pub queue_per_person: u32,

    /// Unfinished generations of all people together.
    #[arg(long, env = "PREDILECT_QUEUE_TOTAL", default_value_t = 500,
        value_parser = clap::value_parser!(u32).range(1..))]
    pub queue_total: u32,

    /// Wrong passwords for one account's name within a quarter of an hour.
    #[arg(long, env = "PREDILECT_LOGIN_FAILURES_PER_NAME", default_value_t = 10,
        value_parser = clap::value_parser!(u32).range(1..))]
    pub login_failures_per_name: u32,

    /// Wrong passwords from one address within a quarter of an hour.
    #[arg(long, env = "PREDILECT_LOGIN_FAILURES_PER_ADDRESS", default_value_t = 100,
        value_parser = clap::value_parser!(u32).range(1..))]
    pub login_failures_per_address: u32,
}
