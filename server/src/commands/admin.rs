//! `predilect admin`: the people who run surveys.

use std::io::{self, IsTerminal};

use anyhow::{Context, bail, ensure};
use clap::{Args, Subcommand};
use predilect_server::{
    config::StorageConfig,
    parse::{AccountName, Password},
    passwords::Passwords,
    store::{RegisterError, Store},
};

/// The admins, who run surveys and see the people of this server.
#[derive(Args)]
pub(crate) struct AdminArgs {
    #[command(subcommand)]
    action: AdminCommand,
}

#[derive(Subcommand)]
enum AdminCommand {
    /// Make an account for an admin. The server may run meanwhile.
    ///
    /// The password is asked for twice at a terminal; else it is the first line of the
    /// standard input.
    #[command(after_help = "Examples:\n  \
        predilect admin create Ana\n  \
        pass show predilect | predilect admin create Ana --data-dir /var/lib/predilect")]
    Create(CreateArgs),
}

#[derive(Args)]
struct CreateArgs {
    /// What the admin logs in with
    name: String,
    #[command(flatten)]
    storage: StorageConfig,
}

/// Runs the subcommand.
pub(crate) fn run(args: AdminArgs) -> anyhow::Result<()> {
    let AdminCommand::Create(args) = args.action;
    let name =
        AccountName::parse(&args.name).map_err(|allowed| anyhow::anyhow!("the name {allowed}"))?;
    let password = Password::parse_new(&read_password()?)
        .map_err(|allowed| anyhow::anyhow!("the password {allowed}"))?;
    tokio::runtime::Runtime::new()?.block_on(create(&args.storage, &name, password))?;
    println!("{} is an admin now, and can log in.", name.as_str());
    Ok(())
}

async fn create(
    storage: &StorageConfig,
    name: &AccountName,
    password: Password,
) -> anyhow::Result<()> {
    storage.make_folder()?;
    let store = Store::open(&storage.database_url()).await?;
    let hash = Passwords::new()?.hash(password).await?;
    let created = store.create_admin(name, &hash).await;
    store.close().await;
    match created {
        Err(RegisterError::NameTaken) => bail!(
            "there is an account named {} already, or one that reads the same; choose another name",
            name.as_str()
        ),
        other => other.context("cannot store the account"),
    }
}

fn read_password() -> anyhow::Result<String> {
    if io::stdin().is_terminal() {
        let password = rpassword::prompt_password("Password: ")?;
        let again = rpassword::prompt_password("The same again: ")?;
        ensure!(password == again, "the two passwords differ");
        return Ok(password);
    }
    let mut line = String::new();
    io::stdin().read_line(&mut line)?;
    // The line's end is not part of it; spaces may be.
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}
