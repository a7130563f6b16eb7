//! Command lines that start Puppet. Read with caution: to take a real run for a rehearsal would
//! open the gate, so whatever is not understood is an ordinary run.

/// Words that may stand before the program and only alter how it is started.
const WRAPPERS: [&str; 8] = ["nice", "ionice", "timeout", "env", "sudo", "chronic", "setsid", "flock"];
/// Options of Puppet's own whose value is the next word, as far as a value may begin with a dash.
const CODE: [&str; 2] = ["-e", "--execute"];

/// The arguments of `puppet agent` or `puppet apply`.
pub(super) struct Line<'a>(Vec<&'a str>);

impl<'a> Line<'a> {
    /// The arguments after `agent` or `apply`; `None` for any other command line.
    pub fn of(argv: &'a [String]) -> Option<Self> {
        let at = argv.iter().position(|word| base(word) == "puppet")?;
        // A process that runs names its interpreter first: `/usr/bin/ruby|/usr/bin/puppet|agent|...`.
        let wrapped = argv.first().map(|first| base(first)).is_some_and(|first| WRAPPERS.contains(&first) || is_ruby(first));
        if (at > 0 && !wrapped) || !matches!(argv.get(at + 1).map(String::as_str), Some("agent" | "apply")) {
            return None;
        }
        let mut words = Vec::new();
        let mut rest = argv[at + 2..].iter().map(String::as_str);
        while let Some(word) = rest.next() {
            match word {
                "--" => break,
                // Code, which may look like anything.
                _ if CODE.contains(&word) => _ = rest.next(),
                _ => words.push(word),
            }
        }
        Some(Self(words))
    }

    /// Whether it says `--noop`; what is said last counts.
    pub fn is_noop(&self) -> bool {
        self.0.iter().rev().find(|word| ["--noop", "--no-noop"].contains(word)) == Some(&"--noop")
    }

    /// The value of an option, `--NAME VALUE` or `--NAME=VALUE`; what is said last counts.
    pub fn value(&self, name: &str) -> Option<&'a str> {
        let words = self.0.iter().enumerate();
        words
            .filter_map(|(i, word)| match word.strip_prefix("--")?.strip_prefix(name)? {
                "" => self.0.get(i + 1).copied(),
                given => given.strip_prefix('='),
            })
            .next_back()
            .filter(|value| !value.is_empty())
    }

    /// The file named by `--catalog`; `-` is the standard input and no file.
    pub fn catalog(&self) -> Option<&'a str> {
        let short = || self.0.iter().position(|word| *word == "-c").and_then(|at| self.0.get(at + 1).copied());
        self.value("catalog").or_else(short).filter(|file| *file != "-")
    }
}

/// `ruby`, `ruby3.1`.
fn is_ruby(program: &str) -> bool {
    program.strip_prefix("ruby").is_some_and(|version| version.bytes().all(|b| b.is_ascii_digit() || b == b'.'))
}

/// The last part of a path.
fn base(word: &str) -> &str {
    word.rsplit('/').next().unwrap_or(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn only_a_certain_rehearsal_is_one() {
        let noop = |line: &str| Line::of(&words(line)).is_some_and(|line| line.is_noop());
        for yes in [
            "puppet agent -t --noop",
            "/opt/puppetlabs/bin/puppet apply --noop site.pp",
            "nice -n 10 puppet agent --noop",
            "puppet agent --no-noop --noop",
            "/usr/bin/ruby3.1 /usr/bin/puppet agent --onetime --noop",
        ] {
            assert!(noop(yes), "{yes}");
        }
        for no in [
            "puppet agent -t",
            "puppet agent --noop --no-noop",
            "puppet apply -e --noop",
            "puppet agent -- --noop",
            "puppet agent --noop=false",
            "run-it --noop",
            "sh puppet agent --noop",
            "puppet --noop",
            "rubyx /usr/bin/puppet agent --noop",
            "puppet agent: applying configuration",
            "echo puppet agent --noop",
        ] {
            assert!(!noop(no), "{no}");
        }
    }

    #[test]
    fn only_a_run_of_nothing_but_belay_is_its_own() {
        use crate::tools::host::HostTool as _;
        let own = |line: &str| crate::tools::puppet::Puppet.is_own(&words(line));
        assert!(own("puppet agent -t --tags belay") && own("puppet agent --onetime --tags=belay"));
        for no in [
            "puppet agent -t",
            "puppet agent -t --tags belay,app",
            "puppet agent -t --tags app --tags",
            "puppet agent --tags belay --tags app",
        ] {
            assert!(!own(no), "{no}");
        }
    }

    #[test]
    fn environment_and_catalog_are_read_in_both_ways_of_writing() {
        let value = |line: &str, name: &str| Line::of(&words(line)).and_then(|line| line.value(name).map(str::to_owned));
        assert_eq!(value("puppet agent --environment r142 --noop", "environment").as_deref(), Some("r142"));
        assert_eq!(value("puppet agent --environment=a --environment=b", "environment").as_deref(), Some("b"));
        assert_eq!(value("puppet agent --environmentpath /x", "environment"), None);
        assert_eq!(value("puppet agent --environment", "environment"), None);
        let catalog = |line: &str| Line::of(&words(line)).and_then(|line| line.catalog().map(str::to_owned));
        assert_eq!(catalog("puppet apply --catalog /tmp/c.json").as_deref(), Some("/tmp/c.json"));
        assert_eq!(catalog("puppet apply --catalog=/tmp/c.json").as_deref(), Some("/tmp/c.json"));
        assert_eq!(catalog("puppet apply -c /tmp/c.json").as_deref(), Some("/tmp/c.json"));
        assert_eq!(catalog("puppet apply --catalog -"), None);
        assert_eq!(catalog("puppet apply site.pp"), None);
    }
}
