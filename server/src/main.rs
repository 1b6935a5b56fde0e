//! `predilect`: serves the application and trains, evaluates and packs its model.
mod commands;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Learns a person's taste in pictures from four choices and draws for that taste.
#[derive(Parser)]
#[command(version, propagate_version = true, after_help = WORKFLOWS)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

/// Which commands follow each other, for each use of the program.
const WORKFLOWS: &str = "\
To serve the shipped model, from the checkout:
  predilect serve                        then open http://127.0.0.1:8080
  predilect admin create NAME            an account that runs surveys

To train a model of your own from nothing, and serve it:
  predilect data build                   fetch and render the artwork
  predilect train all --preset cpu       every stage in order: a night on two cores
  predilect pairs build --out PAIRS      draw the pairs that people choose from
  predilect eval mirror --pairs PAIRS    do pictures follow choices?
  predilect serve --model-dir ~/.cache/predilect/models/mini --pairs-dir PAIRS

To serve the published Stable Cascade and LLaVA-OneVision:
  predilect model check DIR              is all there that is needed?
  predilect serve --model-dir DIR

`predilect COMMAND --help` says more of each.";

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
