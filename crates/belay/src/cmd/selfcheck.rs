//! `belay selfcheck`: how often the judge rejects where nothing had changed, class by class, and the signals that raise false alarms.

use std::time::Duration;

use belay_api::http::{ClassCheckView, SelfCheckAsked, SelfCheckBody, SelfCheckView, SignalCheckView};
use belay_core::explain::selfcheck::percent;
use hyper::Method;

use crate::client::{Content, read};
use crate::fault::{code, fault};
use crate::out::inert::{clip, inert};
use crate::out::paint::{Colour, Paint, Sign, Tone};
use crate::out::table::Table;
use crate::out::told::told;
use crate::out::when::When;
use crate::out::{self, Output};
use crate::session::{Form, Reach, Session};

const PATH: &str = "/api/v1/selfcheck";
/// How often it is asked whether a check is done.
const EVERY: Duration = Duration::from_secs(1);

/// Which classes, and whether to check them now.
#[derive(clap::Args, Debug)]
#[command(
    after_help = "Trials are drawn from the stored past as if hosts had changed, though nothing had: every rejection is a false one.\n\
    It runs every night. Exit code 1: a class is rejected more often than its budget allows."
)]
pub struct Args {
    /// Only these classes
    #[arg(value_name = "CLASS")]
    pub classes: Vec<String>,
    /// Check now, and wait until it is done
    #[arg(long)]
    pub now: bool,
    #[command(flatten)]
    reach: Reach,
    #[command(flatten)]
    form: Form,
}

/// Shows what the last checks found, after new ones where they are asked for.
///
/// # Errors
/// The server's refusal, or why it could not be asked.
pub async fn run(args: &Args, colour: Colour) -> anyhow::Result<u8> {
    let session = Session::new(&args.reach, &args.form, colour)?;
    if args.now {
        check(&session, &args.classes).await?;
    }
    let wanted = |class: &ClassCheckView| args.classes.is_empty() || args.classes.contains(&class.class);
    let mut view: SelfCheckView = session.client.get(PATH).await?;
    known(&view, &args.classes)?;
    view.classes.retain(wanted);
    match session.output {
        Output::Table => out::put(&page(&view, &session.when, session.paint))?,
        Output::Json | Output::Jsonl => session.put_raw(&serde_json::to_vec(&view)?)?,
    }
    Ok(if view.classes.iter().any(|class| class.exceeds) { code::ERROR } else { code::OK })
}

/// A class that is not there must not read as one with which all is well.
fn known(view: &SelfCheckView, classes: &[String]) -> anyhow::Result<()> {
    let there: Vec<&str> = view.classes.iter().map(|class| class.class.as_str()).collect();
    let Some(unknown) = classes.iter().find(|class| !there.contains(&class.as_str())) else { return Ok(()) };
    let help = if there.is_empty() { "no class has hosts and signals yet".to_owned() } else { format!("there are: {}", there.join(", ")) };
    Err(fault(format!("there is no class {unknown} with hosts and signals"), help))
}

/// Asks for checks and waits until none of them goes on.
async fn check(session: &Session, classes: &[String]) -> anyhow::Result<()> {
    let body = SelfCheckBody { classes: classes.to_vec() };
    let asked: SelfCheckAsked = read(&session.client.ask(Method::POST, PATH, Some(Content::json(&body)?)).await?)?;
    let mine: Vec<String> = asked.running.into_iter().filter(|class| classes.is_empty() || classes.contains(class)).collect();
    if session.output == Output::Table && !mine.is_empty() {
        out::note(&told(session.paint, Tone::Busy, "Checking", &mine.join(", ")));
    }
    loop {
        let view: SelfCheckView = session.client.get(PATH).await?;
        if !view.running.iter().any(|class| mine.contains(class)) {
            return Ok(());
        }
        tokio::time::sleep(EVERY).await;
    }
}

fn page(view: &SelfCheckView, when: &When, paint: Paint) -> String {
    if view.classes.is_empty() {
        return "no class with hosts and signals: there is nothing to check\n".to_owned();
    }
    let mut table = Table::new(&["RATE", "CLASS", "AT", "TRIALS", "REJECTED", "REALISED (95 %)", "NOMINAL", "NOTE"]);
    for class in &view.classes {
        let sign = sign(class);
        let (judged, note) = (format!("{}/{}", class.judged, class.trials), clip(&note(class, view), 80).to_string());
        table.row(
            sign.tone(),
            [
                format!("{} {}", paint.sign(sign), word(sign)),
                class.class.clone(),
                when.said_or(class.at.as_deref(), "-"),
                judged,
                class.rejected.to_string(),
                interval(class.rate, class.rate_low, class.rate_high),
                if class.rate.is_some() { percent(class.nominal) } else { "-".to_owned() },
                note,
            ],
        );
    }
    format!("{}{}", table.render(paint), misbehaving(view, paint))
}

fn sign(class: &ClassCheckView) -> Sign {
    match class.rate {
        None => Sign::Unknown,
        Some(_) if class.exceeds => Sign::Bad,
        Some(_) => Sign::Good,
    }
}

fn word(sign: Sign) -> &'static str {
    match sign {
        Sign::Bad => "high",
        Sign::Good => "ok",
        _ => "unknown",
    }
}

fn note(class: &ClassCheckView, view: &SelfCheckView) -> String {
    if view.running.contains(&class.class) {
        return "being checked".to_owned();
    }
    match (&class.skipped, &class.at) {
        (Some(why), _) => format!("skipped: {why}"),
        (None, None) => "not checked yet".to_owned(),
        (None, Some(_)) if class.judged == 0 => "no trial could be judged".to_owned(),
        (None, Some(_)) => String::new(),
    }
}

/// The signals that raise false alarms more often than chance explains, or whose thresholds are wider.
fn misbehaving(view: &SelfCheckView, paint: Paint) -> String {
    let of = |class: &'_ ClassCheckView| class.signals.iter().filter(|signal| signal.exceeds || signal.factor > 1.0).count();
    if view.classes.iter().map(of).sum::<usize>() == 0 {
        return String::new();
    }
    let mut table = Table::new(&["FACTOR", "SIGNAL", "CLASS", "ALARMS", "REALISED (95 %)", "NOMINAL", "WHY"]);
    for class in &view.classes {
        for signal in class.signals.iter().filter(|signal| signal.exceeds || signal.factor > 1.0) {
            table.row(
                if signal.exceeds { Tone::Bad } else { Tone::Warn },
                [
                    format!("x{:.2}", signal.factor),
                    signal.signal.clone(),
                    class.class.clone(),
                    format!("{}/{}", signal.alarms, signal.judged),
                    interval(signal.rate, signal.rate_low, signal.rate_high),
                    percent(signal.nominal),
                    inert(&why(signal)).to_string(),
                ],
            );
        }
    }
    format!("\n{}", table.render(paint))
}

fn why(signal: &SignalCheckView) -> String {
    let plain = signal.alarms - signal.compared.min(signal.alarms);
    let plain = (signal.exceeds && plain > 0).then(|| format!("{plain} by plain checks, which have no threshold to widen"));
    [signal.caution.clone(), plain].into_iter().flatten().collect::<Vec<_>>().join("; ")
}

fn interval(rate: Option<f64>, low: Option<f64>, high: Option<f64>) -> String {
    match (rate, low, high) {
        (Some(rate), Some(low), Some(high)) => format!("{} ({} to {})", percent(rate), percent(low), percent(high)),
        _ => "-".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use belay_core::model::selfcheck::{Caution, Rate};

    use super::*;
    use crate::out::when::Zone;

    fn signal(name: &str, alarms: u32, factor: f64) -> SignalCheckView {
        let rate = Rate::of(alarms, 200, 200).unwrap();
        SignalCheckView {
            signal: name.to_owned(),
            judged: 200,
            alarms,
            compared: alarms.saturating_sub(1),
            suspicions: 4,
            rate: Some(rate.seen),
            rate_low: Some(rate.low),
            rate_high: Some(rate.high),
            nominal: 0.01,
            exceeds: rate.low > 0.01,
            factor,
            caution: (factor > 1.0).then(|| Caution { factor, alarms: 8, checks: 200 }.words()),
        }
    }

    fn class(name: &str, rejected: u32, signals: Vec<SignalCheckView>) -> ClassCheckView {
        let rate = Rate::of(rejected, 198, 198).unwrap();
        ClassCheckView {
            class: name.to_owned(),
            at: Some("2026-11-23T03:41:07Z".to_owned()),
            skipped: None,
            trials: 200,
            judged: 198,
            apart: 200,
            rejected,
            rate: Some(rate.seen),
            rate_low: Some(rate.low),
            rate_high: Some(rate.high),
            nominal: 0.02,
            exceeds: rate.low > 0.02,
            text: String::new(),
            signals,
        }
    }

    #[test]
    fn a_class_that_is_not_there_is_an_error_that_names_those_there_are() {
        let view = SelfCheckView { running: vec![], classes: vec![class("web", 0, vec![]), class("db", 0, vec![])] };
        let told = |names: &[&str]| {
            let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            known(&view, &names).map_err(|error| crate::fault::told(&error))
        };
        assert!(told(&[]).is_ok() && told(&["db", "web"]).is_ok());
        let (text, help, ended) = told(&["db", "wbe"]).unwrap_err();
        assert_eq!((text.as_str(), ended), ("there is no class wbe with hosts and signals", code::ERROR));
        assert_eq!(help.as_deref(), Some("there are: web, db"));
    }

    #[test]
    fn classes_stand_beside_their_budget_and_signals_that_misbehave_below() {
        let skipped = ClassCheckView {
            trials: 0,
            judged: 0,
            rate: None,
            rate_low: None,
            rate_high: None,
            skipped: Some("its past reaches back 1 h, and a trial needs 4 h 43 min".to_owned()),
            ..class("db", 0, vec![])
        };
        let view = SelfCheckView {
            running: vec!["app".to_owned()],
            classes: vec![
                class("web", 9, vec![signal("requests", 1, 1.0), signal("latency", 9, 1.25), signal("load", 1, 1.1)]),
                class("app", 3, vec![signal("requests", 0, 1.0)]),
                skipped,
            ],
        };
        insta::assert_snapshot!(page(&view, &When::new(Zone::Utc), Paint::plain()));
    }
}
