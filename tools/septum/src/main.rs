//! The command line. Thin: every command is a module of its own, and what they decide is septum-compiler's.
//!
//! Exit codes: 0 done; 1 the input is wrong, or what ran did not do what was waited for; 2 usage; 3 the environment
//! lacks something; 141 nobody reads the output any more.
#![forbid(unsafe_code)]
#![deny(clippy::print_stdout, clippy::print_stderr)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod args;
mod bench;
mod board_crate;
mod build;
mod cache;
mod cargo;
mod check;
mod explain;
mod failure;
mod files;
mod header;
mod home;
mod image;
mod log;
mod output;
mod process;
mod regular_file;
mod run;
mod schema;
mod setup;

use std::process::ExitCode;

use clap::Parser;

use args::{Arguments, Command};
use failure::Failure;
use home::Home;

fn main() -> ExitCode {
    let done = match Arguments::try_parse() {
        Ok(arguments) => dispatch(arguments.command),
        Err(answer) => show(&answer),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

/// Shows what clap answers in a command's place: help and version, or what is wrong with the command line.
fn show(answer: &clap::Error) -> Result<(), Failure> {
    let shown = output::answer(answer);
    // As for all that goes to stderr, whether it could be shown or not.
    if answer.use_stderr() { Err(Failure::Usage) } else { Ok(shown?) }
}

fn dispatch(command: Command) -> Result<(), Failure> {
    let home = Home::find();
    match command {
        Command::Setup { guests } => setup::run(&home, &guests),
        Command::Check { config, format } => check::run(&home, &config, format),
        Command::Build { config, out } => build::run(&home, &config, out.as_deref()),
        Command::Inspect { subject, json } => image::inspect(&home, &subject, json),
        Command::Verify { image } => image::verify(&image),
        Command::Run(arguments) => run::run(&home, &arguments.config, &arguments.options()),
        Command::Explain { config, question } => explain::run(&home, &config, question),
        Command::Header { file } => header::run(file.as_deref()),
        Command::Schema { of } => schema::run(of),
        Command::Bench { json, compare } => bench::run(&home, json, compare.as_deref()),
        Command::Decode { elf } => log::decoder::serve(&elf).map_err(Failure::input),
        Command::Tied { program, arguments } => Err(Failure::environment(run::twin::become_tied(&program, &arguments))),
    }
}
