//! `predilect`: serves the application and trains, evaluates and packs its model.
mod commands;

use std::process::ExitCode;

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
    Model(commands::model::ModelCommand),
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Serve(arguments) => commands::serve::run(arguments),
        Command::Admin(args) => commands::admin::run(args),
        Command::Data(args) => commands::data::run(args),
        Command::Train(args) => commands::train::run(args),
        Command::Eval(args) => commands::eval::run(args),
        Command::Pairs(args) => commands::pairs::run(args),
        Command::Users(args) => commands::users::run(args),
        Command::Model(args) => commands::model::run(args),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("Error: {}", sentence(&error));
            ExitCode::FAILURE
        }
    }
}

/// An error and its causes in one line, without causes that are quoted already.
fn sentence(error: &anyhow::Error) -> String {
    error.chain().fold(String::new(), |text, cause| {
        let cause = cause.to_string();
        match text.as_str() {
            "" => cause,
            text if text.contains(&cause) => text.to_owned(),
            text => format!("{text}: {cause}"),
        }
    })
}
