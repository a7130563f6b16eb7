//! Two weeks of a fleet, in about a second.

use belay_core::model::ids::{ClassName, Environment, HostId, Release};
use belay_core::model::time::Span;
use belay_sim::fleet::branch::{Branch, parse_item};
use belay_sim::fleet::host::SimHost;
use belay_sim::world::{Due, Switch, World};

const CONFIG: &str = r#"
[[class]]
name = "web"
hosts = ["web*"]
release = { reported = true }

[[signal]]
name = "requests"
class = "web"
kind = "flow"
select = "sitemonitor_requests_total"
step = "60s"

[[alert]]
name = "team"
url = "https://alerts.example.com/belay"
"#;

#[test]
fn two_weeks_pass_in_about_a_second_and_a_change_a_day_is_judged() {
    let (web, production) = (ClassName::parse("web").unwrap(), Environment::parse("production").unwrap());
    let item = parse_item("File[/etc/app/app.conf] content").unwrap();
    let mut world = World::new(1);
    world.load(belay_api::config::parse("weeks.toml", CONFIG).unwrap().policy);
    let mut branch = Branch::default();
    branch.version = Some("v0".to_owned());
    branch.put(&web, item.clone(), "text 0");
    world.fleet.branches.insert(production.clone(), branch);
    for number in 1..=30 {
        let id = HostId::parse(&format!("web{number:02}")).unwrap();
        world.add_host(SimHost::new(id.clone(), web.clone(), Release::parse("141").ok(), production.clone()));
        world.plan(world.clock, Due::Tell(id.clone()));
        world.switch(&id, &Switch::Cron(Some(Span::from_min(30))));
    }
    let began = std::time::Instant::now();
    for day in 1..=14 {
        world.run_for(Span::from_min(24 * 60));
        let branch = world.fleet.branches.get_mut(&production).unwrap();
        branch.version = Some(format!("v{day}"));
        branch.put(&web, item.clone(), &format!("text {day}"));
    }
    let took = began.elapsed();
    let runs = world.state.counters.runs;
    assert!(runs >= 30 * 14 * 48 - 30, "{runs} runs");
    let standings: Vec<&str> = world.state.changes.values().map(|change| change.standing.word()).collect();
    assert_eq!(standings, vec!["accepted"; 13], "{standings:?}");
    println!("two weeks, {runs} runs, {} facts: {took:?}", world.journal.len());
}
