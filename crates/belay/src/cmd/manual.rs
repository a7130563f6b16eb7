//! `belay completion` and `belay man`: what a package puts beside the binary. Both are made from the command line itself, so
//! that they cannot say anything else than `--help`.

use std::path::PathBuf;

use anyhow::Context;
use clap::{CommandFactory, ValueEnum};
use clap_complete::aot;

use crate::cli::Cli;
use crate::fault::code;
use crate::out;
use crate::out::paint::{Colour, Paint, Tone};
use crate::out::told::{count, told};

/// For which shell.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
bash   belay completion bash > /etc/bash_completion.d/belay
zsh    belay completion zsh > /usr/local/share/zsh/site-functions/_belay
fish   belay completion fish > ~/.config/fish/completions/belay.fish")]
pub struct Completion {
    /// The shell: bash, zsh or fish
    #[arg(value_enum, hide_possible_values = true)]
    pub shell: Shell,
}

/// A shell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Shell {
    /// GNU bash.
    Bash,
    /// zsh.
    Zsh,
    /// fish.
    Fish,
}

/// Where to write the manual.
#[derive(clap::Args, Debug)]
#[command(after_help = "Read one with `man DIR/belay-status.1`; installed, they belong into /usr/local/share/man/man1.")]
pub struct Man {
    /// The directory; it is made where there is none
    #[arg(long, value_name = "DIR")]
    pub dir: PathBuf,
}

/// Prints the completion of a shell.
///
/// # Errors
/// When stdout cannot be written to.
pub fn completion(args: &Completion) -> anyhow::Result<u8> {
    out::put(&script(args.shell))?;
    Ok(code::OK)
}

fn script(shell: Shell) -> String {
    let shell = match shell {
        Shell::Bash => aot::Shell::Bash,
        Shell::Zsh => aot::Shell::Zsh,
        Shell::Fish => aot::Shell::Fish,
    };
    let mut text = Vec::new();
    aot::generate(shell, &mut Cli::command(), "belay", &mut text);
    String::from_utf8_lossy(&text).into_owned()
}

/// Writes all pages of the manual: one for `belay`, one for each command.
///
/// # Errors
/// When the directory cannot be written to.
pub fn man(args: &Man, colour: Colour) -> anyhow::Result<u8> {
    let dir = &args.dir;
    std::fs::create_dir_all(dir).with_context(|| format!("could not make {}", dir.display()))?;
    let mut command = Cli::command();
    command.build();
    let pages = pages(&command);
    for (name, page) in &pages {
        let path = dir.join(name);
        std::fs::write(&path, page).with_context(|| format!("could not write {}", path.display()))?;
    }
    let what = format!("{} into {}", count(pages.len() as u64, "page"), dir.display());
    out::note(&told(Paint::stderr(colour), Tone::Good, "Wrote", &what));
    Ok(code::OK)
}

/// The pages of a command and of all below it, by their file names.
fn pages(command: &clap::Command) -> Vec<(String, Vec<u8>)> {
    let page = clap_mangen::Man::new(command.clone());
    let mut text = Vec::new();
    page.render(&mut text).expect("a vector takes everything");
    let below = command.get_subcommands().filter(|command| command.get_name() != "help").flat_map(pages);
    std::iter::once((page.get_filename(), text)).chain(below).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shell_is_told_of_every_command() {
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
            let script = script(shell);
            for command in Cli::command().get_subcommands() {
                assert!(script.contains(command.get_name()), "{shell:?} {}", command.get_name());
            }
        }
    }

    #[test]
    fn every_command_has_a_page_that_names_its_options() {
        let mut command = Cli::command();
        command.build();
        let pages = pages(&command);
        let page = |name: &str| {
            let found = pages.iter().find(|(file, _)| file == name);
            String::from_utf8(found.unwrap_or_else(|| panic!("{name}")).1.clone()).unwrap()
        };
        assert!(page("belay.1").contains("Exit codes"), "{}", page("belay.1"));
        assert!(page("belay-hold-add.1").contains("\\-\\-reason"), "{}", page("belay-hold-add.1"));
        assert!(!pages.iter().any(|(name, _)| name.contains("help")));
    }
}
