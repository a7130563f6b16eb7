//! `belay role`: what each role may do. It is the same on every server, so none is asked.

use clap::Subcommand;

use crate::out;
use crate::out::paint::{Colour, Paint, Tone};
use crate::out::table::Table;

/// What to do with roles.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// What to do
    #[command(subcommand)]
    pub action: Action,
}

/// What to do with roles.
#[derive(Subcommand, Debug)]
pub enum Action {
    /// List them, weakest first; each may do what those before it may
    List,
}

const ROLES: [(&str, &str); 4] = [
    ("viewer", "look at everything; alter nothing"),
    ("operator", "act on hosts: hold them, extend and end their own holds, revert, publish deployments, bring reports, set facts"),
    ("approver", "decide: accept and reject Changes, pin hosts, end holds of others"),
    ("admin", "everything: credentials, accounts, sessions, backups"),
];

/// Lists roles.
///
/// # Errors
/// When they cannot be printed.
pub fn run(args: &Args, colour: Colour) -> anyhow::Result<u8> {
    let Action::List = args.action;
    let mut table = Table::new(&["ROLE", "MAY"]);
    for (role, may) in ROLES {
        table.row(Tone::Plain, [role.to_owned(), may.to_owned()]);
    }
    out::put(&table.render(Paint::stdout(colour)))?;
    out::note("A person may be limited to classes (--class): all but looking is refused in the others. An admin is not limited.");
    Ok(0)
}

#[cfg(test)]
mod tests {
    use belay_core::model::principal::Role;

    use super::*;

    #[test]
    fn every_role_is_listed_in_the_order_of_what_it_may() {
        assert_eq!(ROLES.map(|(role, _)| role), Role::ALL.map(Role::word));
    }
}
