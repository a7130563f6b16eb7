//! `belay events`: what happened, and with `-f` what happens, in the grammar of journalctl. Whoever follows goes on by number: a server
//! that is started anew loses nobody anything.

use std::time::Duration;

use belay_api::http::{NewsView, Page};
use belay_core::model::time::Timestamp;
use hyper::Method;
use jiff::civil::{Date, DateTime};
use jiff::{Span, Zoned};

use crate::client::{query, read};
use crate::fault::is_passing;
use crate::out;
use crate::out::inert::inert;
use crate::out::paint::{Colour, Paint, Tone};
use crate::out::told::told;
use crate::out::when::{When, parsed};
use crate::session::{Form, Reach, Session};

/// Entries of a page.
const PAGE: usize = 500;
/// The most that is looked back for.
const BACK_MAX: usize = 10_000;
/// The server says something at least every quarter of a minute.
const SILENCE: Duration = Duration::from_secs(60);
/// Between two attempts to listen again, at first and at most.
const RESTS: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(15));
/// No event is longer; what is would fill memory.
const EVENT_MAX: usize = 1 << 20;

/// Which events.
#[derive(clap::Args, Debug)]
#[command(after_help = "Example: belay events -f --since '1 h ago' --class web -o jsonl | jq .text")]
pub struct Args {
    /// Go on with what happens, until Ctrl-C
    #[arg(short, long)]
    pub follow: bool,
    /// Since when: '1 h ago', today, yesterday, '2026-11-22 02:14', or a time with its offset
    #[arg(long, value_name = "TIME", value_parser = since)]
    pub since: Option<Timestamp>,
    /// Only the last so many; 20 where no --since says how far back
    #[arg(short = 'n', long, value_name = "N", value_parser = clap::value_parser!(u32).range(0..=10_000))]
    pub lines: Option<u32>,
    /// Only what is about this class, or about none in particular
    #[arg(long)]
    pub class: Option<String>,
    /// Only what is about this host
    #[arg(long)]
    pub host: Option<String>,
    /// text for people; jsonl one JSON value a line
    #[arg(short, long, value_enum, value_name = "FORM", default_value = "text", hide_possible_values = true, help_heading = "Output")]
    pub output: Events,
    /// Print times in UTC, not in this machine's zone
    #[arg(long, help_heading = "Output")]
    pub utc: bool,
    #[command(flatten)]
    reach: Reach,
}

/// In which form events are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Events {
    /// A line each.
    Text,
    /// A JSON value each.
    Jsonl,
}

/// Prints events.
///
/// # Errors
/// The server's refusal, or why it could not be asked.
pub async fn run(args: &Args, colour: Colour) -> anyhow::Result<u8> {
    let form = Form { output: out::Output::Jsonl, utc: args.utc };
    let session = Session::new(&args.reach, &form, colour)?;
    let past = past(&session, args).await?;
    past.iter().try_for_each(|news| put(&session, args.output, news))?;
    if past.is_empty() && !args.follow && args.lines != Some(0) {
        out::note("nothing happened of what was asked for");
    }
    if args.follow {
        let seen = match past.last() {
            Some(last) => last.seq,
            None => newest(&session).await?,
        };
        follow(&session, args, colour, seen).await?;
    }
    Ok(0)
}

fn filter(args: &Args) -> [(&'static str, Option<String>); 2] {
    [("class", args.class.clone()), ("host", args.host.clone())]
}

/// What happened, oldest first: the list is asked backwards from its newest.
async fn past(session: &Session, args: &Args) -> anyhow::Result<Vec<NewsView>> {
    let most = match (args.lines, args.since) {
        (Some(lines), _) => lines as usize,
        (None, Some(_)) => BACK_MAX,
        (None, None) => 20,
    };
    let (mut found, mut after): (Vec<NewsView>, Option<String>) = (Vec::new(), None);
    while found.len() < most {
        let own = [("limit", Some((most - found.len()).min(PAGE).to_string())), ("after", after.take())];
        let page: Page<NewsView> = session.client.get(&format!("/api/v1/news{}", query(&[&filter(args)[..], &own].concat()))).await?;
        let early = |news: &NewsView| args.since.is_some_and(|since| parsed(&news.at).is_some_and(|at| at < since));
        let (before, last) = (page.items.iter().position(early), page.items.is_empty());
        let within = before.unwrap_or(page.items.len());
        found.extend(page.items.into_iter().take(within));
        after = page.next;
        if before.is_some() || last || after.is_none() {
            break;
        }
    }
    if found.len() >= BACK_MAX {
        out::note(&format!("these are the last {BACK_MAX}; there may be more"));
    }
    found.reverse();
    Ok(found)
}

/// The number of the newest: what comes after it is new.
async fn newest(session: &Session) -> anyhow::Result<u64> {
    let page: Page<NewsView> = session.client.get("/api/v1/news?limit=1").await?;
    Ok(page.items.first().map_or(0, |news| news.seq))
}

/// Listens for ever; only what will not pass ends it.
async fn follow(session: &Session, args: &Args, colour: Colour, mut seen: u64) -> anyhow::Result<()> {
    let (paint, mut rest, mut away) = (Paint::stderr(colour), RESTS.0, false);
    loop {
        let own = [("since", Some(seen.to_string()))];
        let path = format!("/api/v1/events{}", query(&[&filter(args)[..], &own].concat()));
        let (mut stream, mut heard) = (Stream::default(), false);
        let listened = session.client.download(Method::GET, &path, SILENCE, |bytes| {
            heard = true;
            if std::mem::take(&mut away) {
                out::note(&told(paint, Tone::Busy, "Listening", "the server is back"));
            }
            for news in stream.take(bytes)? {
                put(session, args.output, &news)?;
                seen = news.seq;
            }
            Ok(())
        });
        match listened.await {
            Ok(()) => {}
            Err(error) if is_passing(&error) => {
                if !std::mem::replace(&mut away, true) {
                    out::note(&told(paint, Tone::Warn, "Listening", &format!("the server is away: {error:#}")));
                }
            }
            Err(error) => return Err(error),
        }
        rest = if heard { RESTS.0 } else { (rest * 2).min(RESTS.1) };
        tokio::time::sleep(rest).await;
    }
}

fn put(session: &Session, form: Events, news: &NewsView) -> anyhow::Result<()> {
    match form {
        Events::Text => out::put(&line(news, &session.when, session.paint)),
        Events::Jsonl => session.put_raw(&serde_json::to_vec(news)?),
    }
}

fn line(news: &NewsView, when: &When, paint: Paint) -> String {
    let tone = match news.kind.as_str() {
        "hold-broken" | "alert-given-up" | "run-refused" | "breaker" => Tone::Bad,
        "suspect" | "hold-expired" | "feed-silent" | "warning" => Tone::Warn,
        "verdict" | "change-opened" | "wave-opened" => Tone::Strong,
        _ => Tone::Plain,
    };
    let kind = paint.tone(&format!("{:<15}", inert(&news.kind)), tone);
    format!("{}  {kind} {}\n", when.said(&news.at), inert(&news.text))
}

/// The bytes of a stream of server-sent events, put together again.
#[derive(Default)]
struct Stream {
    left: Vec<u8>,
}

impl Stream {
    /// The events that are whole with these bytes. Of each, the data is what counts.
    fn take(&mut self, bytes: &[u8]) -> anyhow::Result<Vec<NewsView>> {
        self.left.extend_from_slice(bytes);
        let mut found = Vec::new();
        while let Some(end) = self.left.windows(2).position(|two| two == b"\n\n") {
            let event: Vec<u8> = self.left.drain(..end + 2).collect();
            for line in event.split(|byte| *byte == b'\n') {
                if let Some(data) = line.strip_prefix(b"data:") {
                    found.push(read(data)?);
                }
            }
        }
        anyhow::ensure!(self.left.len() <= EVENT_MAX, "the server sends an event of more than {EVENT_MAX} bytes");
        Ok(found)
    }
}

/// A time as people say it.
fn since(text: &str) -> Result<Timestamp, String> {
    let now = Zoned::now();
    let wrong = || format!("{text:?} is no time; write for example '1 h ago', today, yesterday, or '2026-11-22 02:14'");
    let stated = |at: &Zoned| Timestamp::from_ms(at.timestamp().as_millisecond());
    let text = text.trim();
    if let Some(at) = parsed(text) {
        return Ok(at);
    }
    let at = match text {
        "now" => Some(now.clone()),
        "today" => now.start_of_day().ok(),
        "yesterday" => now.yesterday().and_then(|day| day.start_of_day()).ok(),
        _ => None,
    };
    if let Some(at) = at {
        return Ok(stated(&at));
    }
    if let Some(span) = text.strip_suffix("ago").map(str::trim) {
        let span: Span = span.parse().map_err(|_| wrong())?;
        return now.checked_sub(span.abs()).map(|at| stated(&at)).map_err(|_| wrong());
    }
    let day = |text: &str| text.parse::<Date>().ok().map(|date| date.at(0, 0, 0, 0));
    let local = text.parse::<DateTime>().ok().or_else(|| day(text)).ok_or_else(wrong)?;
    local.to_zoned(now.time_zone().clone()).map(|at| stated(&at)).map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::out::when::Zone;

    fn news(seq: u64, kind: &str, text: &str) -> NewsView {
        NewsView { seq, at: "2026-11-22T02:14:07Z".to_owned(), kind: kind.to_owned(), text: text.to_owned(), ..NewsView::default() }
    }

    #[test]
    fn events_are_whole_however_their_bytes_are_cut() {
        let sent = [news(7, "verdict", "c-2 is rejected"), news(9, "warning", "a\nb\x1b")];
        let mut bytes = b"retry: 3000\n\n".to_vec();
        for news in &sent {
            bytes.extend(format!("id: {}\nevent: {}\ndata: {}\n\n", news.seq, news.kind, serde_json::to_string(news).unwrap()).bytes());
            bytes.extend(b": still here\n\n");
        }
        for size in 1..bytes.len() {
            let mut stream = Stream::default();
            let found: Vec<NewsView> = bytes.chunks(size).flat_map(|part| stream.take(part).unwrap()).collect();
            assert_eq!(found, sent, "in parts of {size}");
        }
        assert!(Stream::default().take(&vec![b'x'; EVENT_MAX + 1]).is_err());
        let when = When::new(Zone::Utc);
        assert_eq!(line(&sent[0], &when, Paint::plain()), "2026-11-22T02:14:07Z  verdict         c-2 is rejected\n");
        assert_eq!(line(&sent[1], &when, Paint::plain()), "2026-11-22T02:14:07Z  warning         a\\nb\\x1b\n");
    }

    #[test]
    fn times_are_said_as_to_journalctl() {
        let now = crate::out::when::now();
        let ago = |text: &str| now.since(since(text).unwrap()).ms();
        assert!((3_599_000..3_700_000).contains(&ago("1 h ago")), "{}", ago("1 h ago"));
        assert!((5_399_000..5_500_000).contains(&ago("1h 30m ago")));
        assert!((59_000..120_000).contains(&ago("1 minute ago")));
        assert!((0..90_000_000).contains(&ago("today")) && ago("yesterday") > ago("today") && ago("now") < 60_000);
        assert_eq!(since("2026-11-22T02:14:07Z").unwrap(), Timestamp::from_ms(1_795_313_647_000));
        assert_eq!(since("2026-11-22T03:14:07+01:00").unwrap(), Timestamp::from_ms(1_795_313_647_000));
        assert!(since("2026-11-22 02:14").is_ok() && since("2026-11-22").is_ok());
        for wrong in ["soon", "ago", "1 parsec ago", "2026-13-01", ""] {
            assert!(since(wrong).unwrap_err().contains("is no time"), "{wrong}");
        }
    }
}
