//! What a real PuppetDB answered to the questions that are asked of it: its reports mean what the same runs mean by the commands that
//! had been sent to it.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use belay_adapters::tools::feed::{Message, Told};
use belay_adapters::tools::inventory::{Edge, Mark, Page, Turn};
use belay_adapters::tools::{feed_by_name, inventory_by_name};
use belay_core::model::report::Decoded;
use belay_core::model::time::{Span, Timestamp};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/tools/puppet/fixtures")
}

#[expect(clippy::disallowed_methods, reason = "a test may read its fixtures")]
fn inflated(name: &str) -> Vec<u8> {
    let (gzip, mut body) = (std::fs::read(folder().join(name)).unwrap(), Vec::new());
    flate2::read::GzDecoder::new(&gzip[..]).read_to_end(&mut body).unwrap();
    body
}

/// The mark before an answer to this question.
fn mark(turn: Turn) -> Mark {
    let since = Timestamp::from_ms(1_796_000_000_000);
    Mark { turn, ..Mark::begin(since, Span::from_min(14 * 24 * 60)) }
}

fn page(turn: Turn, rows: u32) -> Page {
    let name = if turn == Turn::Facts { "query/inventory.json.gz" } else { "query/reports.json.gz" };
    inventory_by_name("puppetdb").unwrap().read(&mark(turn), rows, &inflated(name)).unwrap()
}

fn told(head: &str, body: &[u8]) -> Told {
    let feed = feed_by_name(inventory_by_name("puppetdb").unwrap().feed()).unwrap();
    assert!(feed.doors().is_empty(), "nobody can send what was only read");
    feed.read(head, body).unwrap_or_else(|bad| panic!("{head}: {bad}"))
}

fn report(told: Told) -> Decoded {
    match told.message {
        Message::Report(decoded) => *decoded,
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_report_that_is_read_means_what_the_command_meant() {
    let commands = [
        "big200-all-changed-store_report",
        "big200-unchanged-include_unchanged-store_report",
        "enc-failed-store_report",
        "env-r142-store_report",
        "env-switch-5-store_report",
        "prerun-refused-store_report",
        "unchanged-store_report",
    ];
    let read = page(Turn::News, 50);
    assert_eq!((read.messages.len(), read.passed_over, read.more), (commands.len(), 0, false));
    for (message, name) in read.messages.iter().zip(commands) {
        let pulled = report(told(&message.head, &message.body));
        let head = "command=store_report&version=8";
        let sent = report(feed_by_name("puppetdb").unwrap().read(head, &inflated(&format!("commands/{name}.body.gz"))).unwrap());
        assert_eq!(message.host, sent.report.host);
        let meaning = |decoded: &Decoded| {
            let mut report = decoded.report.clone();
            // The bytes are others; what is the same in both is told of by the database in whole milliseconds, and
            // resources without events are not told of at all.
            report.digest = belay_core::model::ids::Digest::of(b"");
            report.resources = 0;
            report.skipped = 0;
            // In the order in which they happened; of the same moment in any.
            report.events.sort_by(|one, other| (one.at, &one.resource, &one.item).cmp(&(other.at, &other.resource, &other.item)));
            report
        };
        let differs = || format!("{name}: {:#?}\n{:#?}", meaning(&pulled), meaning(&sent));
        assert!(meaning(&pulled) == meaning(&sent), "{}", differs().chars().take(3_000).collect::<String>());
    }
}

#[test]
fn facts_are_those_that_were_sent_and_what_is_of_the_past_is_marked_so() {
    let facts = page(Turn::Facts, 20);
    let of = |message: Message| match message {
        Message::Facts { host, facts } => (host, facts),
        other => panic!("{other:?}"),
    };
    let (host, read) = of(told(&facts.messages[0].head, &facts.messages[0].body).message);
    let sent = feed_by_name("puppetdb").unwrap();
    let body = inflated("commands/env-r142-replace_facts.body.gz");
    let (named, sent) = of(sent.read("command=replace_facts&version=5", &body).unwrap().message);
    assert_eq!((host, read), (named, sent));
    for (turn, past) in [(Turn::Past, true), (Turn::News, false)] {
        let message = &page(turn, 50).messages[0];
        assert_eq!(told(&message.head, &message.body).past, past);
    }
    let door = feed_by_name("puppetdb").unwrap();
    let message = &page(Turn::Past, 50).messages[0];
    assert!(!door.read(&message.head, &message.body).unwrap().past, "no sender can say that its report is of no consequence");
}

#[test]
fn questions_are_escaped_and_go_on_where_the_page_before_ended() {
    let inventory = inventory_by_name("puppetdb").unwrap();
    let full = page(Turn::News, 7);
    assert!(full.more && full.mark.turn == Turn::News);
    let next = inventory.ask(&full.mark, 7);
    assert!(next.starts_with("/pdb/query/v4/reports?query=%5B%22%3E%3D%22%2C%22receive_time%22%2C%222026-11-29T"), "{next}");
    assert!(next.ends_with("&limit=7&offset=1"), "{next}");
    assert!(next.contains("06%3A59%3A55.272Z"), "to the millisecond: {next}");
    assert!(next.bytes().all(|byte| byte.is_ascii_graphic()), "{next}");
    let past = inventory.ask(&mark(Turn::Past), 50);
    assert!(past.contains("latest_report%3F") && past.contains("node_state"), "{past}");
    let facts = inventory.ask(&Mark { facts: Edge { at: Timestamp::from_ms(0), taken: 40 }, ..mark(Turn::Facts) }, 20);
    assert!(facts.starts_with("/pdb/query/v4/inventory?") && facts.ends_with("&offset=40"), "{facts}");
}

#[test]
fn what_is_no_answer_is_refused_and_a_plan_is_passed_over() {
    let inventory = inventory_by_name("puppetdb").unwrap();
    let read = |turn, text: &str| inventory.read(&mark(turn), 20, text.as_bytes());
    for text in ["", "{}", "[1]", "[{}]", "<html>", "[{\"receive_time\":\"soon\"}]"] {
        assert!(read(Turn::News, text).is_err(), "{text}");
    }
    let whole = inflated("query/reports.json.gz");
    assert!(inventory.read(&mark(Turn::News), 20, &whole[..whole.len() / 2]).is_err(), "half an answer is none");
    let plan = r#"[{"receive_time":"2026-11-29T07:00:00.000Z","type":"plan","certname":"a","hash":"x"}]"#;
    let page = read(Turn::News, plan).unwrap();
    assert_eq!((page.messages.len(), page.passed_over), (0, 1));
    assert_eq!(page.mark.news.taken, 1, "it is not asked for again and again");
}
