//! `predilect data`: builds the artwork set that everything is trained on.
use std::io::{IsTerminal, Write};
use std::path::PathBuf;

use clap::{Args, Subcommand};
use predilect_model::data::build::{BuildConfig, BuildProgress, BuildReport, build};
use predilect_model::data::cache;

/// The training data: public artwork that draws the same subjects in eleven styles.
#[derive(Args)]
pub(crate) struct DataArgs {
    #[command(subcommand)]
    action: DataCommand,
}

#[derive(Subcommand)]
enum DataCommand {
    /// Fetch the artwork through npm, join it, render it at 128 px and write the set.
    ///
    /// Needs npm and a network at the first run (about 42 MB); what was fetched is kept. A
    /// finished set is recognised and left as it is. The set takes about 0.9 GB on disk.
    ///
    /// Next: `predilect train all --preset cpu`.
    #[command(verbatim_doc_comment)]
    Build(BuildArgs),
}

#[derive(Args)]
struct BuildArgs {
    /// Folder of the set [default: data/artwork-128 in the cache folder]
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
    /// Folder of the fetched npm packages [default: npm in the cache folder]
    #[arg(long, value_name = "FOLDER")]
    packages: Option<PathBuf>,
    /// Build anew even where a finished set is there
    #[arg(long)]
    force: bool,
    /// Rendering threads [default: one per core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    threads: Option<u16>,
}

/// Runs the subcommand.
pub(crate) fn run(args: DataArgs) -> anyhow::Result<()> {
    match args.action {
        DataCommand::Build(args) => run_build(args),
    }
}

fn run_build(args: BuildArgs) -> anyhow::Result<()> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let config = BuildConfig {
        package_cache: args
            .packages
            .unwrap_or_else(|| cache::cache_dir().join("npm")),
        out: args.out.unwrap_or_else(cache::artwork_dir),
        force: args.force,
        threads: args.threads.map_or(cores, usize::from),
    };
    let live = std::io::stderr().is_terminal();
    let report = build(&config, &mut |progress| say(&progress, live))?;
    print_report(&report, &config.out);
    Ok(())
}

fn say(progress: &BuildProgress, live: bool) {
    match progress {
        BuildProgress::Waiting(lock) => {
            eprintln!("waiting for another build, which holds {}", lock.display());
        }
        BuildProgress::Fetching(package) => eprintln!("package {package}"),
        // A terminal gets a line that moves; a log gets every tenth report.
        BuildProgress::Rendering { done, total } if live => {
            eprint!("\rrendering {done} of {total}");
            if done == total {
                eprintln!();
            }
            // Progress is a courtesy: a closed stderr must not stop the build.
            let _ = std::io::stderr().flush();
        }
        BuildProgress::Rendering { done, total } => {
            if done == total || done % 2560 == 0 {
                eprintln!("rendering {done} of {total}");
            }
        }
        BuildProgress::Tokenizer => eprintln!("training the tokenizer"),
    }
}

fn print_report(report: &BuildReport, out: &std::path::Path) {
    if report.reused {
        println!("The set is there already; --force builds it anew.");
    }
    for (style, pictures) in &report.styles {
        println!("  {style:<16} {pictures:>5} pictures");
    }
    for skipped in &report.skipped {
        println!(
            "  skipped {} in {}: {}",
            skipped.code, skipped.style, skipped.reason
        );
    }
    println!(
        "{} pictures of {} subjects ({} held out), {} skipped: {}",
        report.pictures,
        report.subjects,
        report.held_out,
        report.skipped.len(),
        out.display()
    );
}
