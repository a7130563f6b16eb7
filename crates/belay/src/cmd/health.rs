//! `belay lint` and `belay doctor`: is there data for every declared signal, and is Belay itself in order.

use belay_api::http::{DoctorView, LintView};

use crate::again::Again;
use crate::fault::code;
use crate::out::inert::{clip, inert};
use crate::out::paint::{Colour, Paint, Sign, Tone};
use crate::out::table::Table;
use crate::session::{Form, Reach, Session};

/// Hosts without data that are named one by one.
const NAMED_MAX: usize = 5;

/// How to ask.
#[derive(clap::Args, Debug)]
pub struct Args {
    #[command(flatten)]
    reach: Reach,
    #[command(flatten)]
    form: Form,
    #[command(flatten)]
    again: Again,
}

/// Checks the declared signals: 1 when one has no data.
///
/// # Errors
/// The server's refusal, or why it could not be asked.
pub async fn lint(args: &Args, colour: Colour) -> anyhow::Result<u8> {
    args.again.show(&args.form, colour, async || lint_once(args, colour).await).await
}

async fn lint_once(args: &Args, colour: Colour) -> anyhow::Result<u8> {
    let session = Session::new(&args.reach, &args.form, colour)?;
    let view = session.show("/api/v1/lint", |session, view: &LintView| lint_table(view, session.paint)).await?;
    Ok(if view.ok { code::OK } else { code::ERROR })
}

/// Checks the installation: 1 when something is not in order.
///
/// # Errors
/// The server's refusal, or why it could not be asked.
pub async fn doctor(args: &Args, colour: Colour) -> anyhow::Result<u8> {
    args.again.show(&args.form, colour, async || doctor_once(args, colour).await).await
}

async fn doctor_once(args: &Args, colour: Colour) -> anyhow::Result<u8> {
    let session = Session::new(&args.reach, &args.form, colour)?;
    let view = session.show("/api/v1/doctor", |session, view: &DoctorView| doctor_lines(view, session.paint)).await?;
    Ok(if view.ok { code::OK } else { code::ERROR })
}

fn mark(ok: bool) -> (Sign, &'static str) {
    if ok { (Sign::Good, "ok") } else { (Sign::Bad, "bad") }
}

fn help(text: &str, paint: Paint) -> String {
    format!("{} {}\n", paint.tone("help:", Tone::Busy), inert(text))
}

fn lint_table(view: &LintView, paint: Paint) -> String {
    if view.signals.is_empty() {
        let advice = "declare a [[signal]] with must_have = true for each class: without one every trial ends inconclusive";
        return format!("no signals are declared\n{}", help(advice, paint));
    }
    let mut table = Table::new(&["DATA", "SIGNAL", "CLASS", "HOSTS", "FOUND"]);
    let mut advice = String::new();
    for signal in &view.signals {
        let (sign, word) = mark(signal.ok);
        let hosts = format!("{}/{}", signal.hosts_with_data, signal.hosts_expected);
        let found = clip(&signal.text, 100);
        table.row(sign.tone(), [format!("{} {word}", paint.sign(sign)), signal.signal.clone(), signal.class.clone(), hosts, found]);
        if signal.ok {
            continue;
        }
        let named: Vec<String> = signal.missing.iter().take(NAMED_MAX).map(|host| format!("{} ({})", host.host, host.why)).collect();
        let more = signal.missing.len().saturating_sub(NAMED_MAX);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        if !named.is_empty() {
            advice.push_str(&format!("{}: without data: {}{more}\n", inert(&signal.signal), inert(&named.join(", "))));
        }
        advice.extend(signal.help.iter().map(|text| help(text, paint)));
    }
    format!("{}{advice}", table.render(paint))
}

fn doctor_lines(view: &DoctorView, paint: Paint) -> String {
    let mut text = String::new();
    for check in &view.checks {
        let (sign, _) = mark(check.ok);
        text.push_str(&format!("{} {}: {}\n", paint.tone(paint.sign(sign), sign.tone()), inert(&check.name), inert(&check.text)));
        text.extend(check.help.iter().filter(|_| !check.ok).map(|advice| format!("  {}", help(advice, paint))));
    }
    text
}

#[cfg(test)]
mod tests {
    use belay_api::http::{DoctorCheck, LintedSignal, MissingHost};

    use super::*;

    #[test]
    fn a_signal_without_data_says_where_and_what_to_do() {
        let signal = |name: &str, ok: bool| LintedSignal {
            signal: name.to_owned(),
            class: "web".to_owned(),
            ok,
            hosts_expected: 30,
            hosts_with_data: if ok { 30 } else { 23 },
            missing: (0..if ok { 0 } else { 7 })
                .map(|n| MissingHost { host: format!("web0{n}"), why: "exporter gone".to_owned() })
                .collect(),
            text: "the newest sample is 2 s old".to_owned(),
            help: (!ok).then(|| "look at the exporter".to_owned()),
        };
        let view = LintView::new(vec![signal("requests", true), signal("latency", false)]);
        insta::assert_snapshot!(lint_table(&view, Paint::plain()));
        assert!(lint_table(&LintView::new(vec![]), Paint::plain()).contains("every trial ends inconclusive"));
    }

    #[test]
    fn the_doctor_names_each_check_and_helps_where_it_hurts() {
        let check =
            |name: &str, ok: bool| DoctorCheck { name: name.to_owned(), ok, text: "as found".to_owned(), help: Some("do this".to_owned()) };
        let view = DoctorView::new(vec![check("disk", true), check("clock", false)]);
        assert_eq!(doctor_lines(&view, Paint::plain()), "+ disk: as found\nx clock: as found\n  help: do this\n");
    }
}
