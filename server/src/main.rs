//! `predilect`: serves the application and trains, evaluates and packs its model.
mod commands;

use clap::{Parser, Subcommand};

/// Learns a person's taste in pictures from four choices and draws for that taste.
#[derive(Parser)]
#[command(version, propagate_version = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Serve(commands::serve::Arguments),
    Admin(commands::admin::AdminArgs),
    /// Build the training data.
    Data(commands::data::DataArgs),
    Train(commands::train::TrainArgs),
    Eval(commands::eval::EvalArgs),
    Pairs(commands::pairs::PairsArgs),
    Users(commands::users::UsersArgs),
}

fn main() -> anyhow::Result<()> {
    match Cli::parse().command {
        Command::Serve(arguments) => commands::serve::run(arguments),
        Command::Admin(args) => commands::admin::run(args),
        Command::Data(args) => commands::data::run(args),
        Command::Train(args) => commands::train::run(args),
        Command::Eval(args) => commands::eval::run(args),
        Command::Pairs(args) => commands::pairs::run(args),
        Command::Users(args) => commands::users::run(args),
    }
}
