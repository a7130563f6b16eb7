//! The example configuration is one.

use belay_agent::config::parse;

#[test]
fn the_example_of_the_readme_is_valid_and_every_key_in_it_is_known() {
    let readme = include_str!("../../../../integrations/systemd/README.md");
    let example = readme.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next()).expect("the README has an example");
    let config = parse("README.md", example, None).unwrap();
    assert!(config.server.is_some() && config.release.is_some() && config.facts.is_some());
    assert!(!config.scrapes.is_empty() && !config.logs.is_empty() && config.revert.command.is_some() && !config.revert.paths.is_empty());
    // What is commented out is right too, once it is not.
    let all: String = example.lines().map(|line| format!("{}\n", line.strip_prefix("#= ").unwrap_or(line))).collect();
    let config = parse("README.md", &all, None).unwrap();
    assert!(config.enc.wrap.is_some() && config.relay.is_some() && config.tool.name.is_some() && config.tool.restart.is_some());
}
