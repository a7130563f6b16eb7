//! A Change: the verdict with its evidence, what came, to whom, what else happened, and how to undo it.

use askama::Template;
use axum::body::Body;
use axum::http::Response;
use belay_api::http::{ChangeRow, ChangeView, FindingView};
use belay_core::explain::alert::alert;
use belay_core::explain::change::harm_since;
use belay_core::model::alert::Subject;
use belay_core::model::ids::ChangeId;
use belay_core::model::time::Timestamp;

use super::csv::{cell, table};
use super::evidence;
use super::inert::escaped;
use super::plot::{Figure, figures};
use super::shell::{Shell, page};
use crate::http::handlers::changes::{found, known};
use crate::http::handlers::runs::change_id;
use crate::http::refusal::Refusal;
use crate::http::route::Call;
use crate::views::timeline::{others, timeline};

/// The most hosts that are listed; all are counted.
const HOSTS_MAX: usize = 200;
/// The most plots; the signals that say most come first.
const PLOTS_MAX: usize = 6;

#[derive(Template)]
#[template(path = "change.html")]
struct Page {
    s: Shell,
    c: ChangeView,
    told: Told,
    figures: Vec<Figure>,
    no_figures: Option<String>,
    timeline: Vec<(Timestamp, String)>,
    others: Vec<ChangeRow>,
    more_hosts: usize,
}

/// What an alert of it would say.
#[derive(Default)]
struct Told {
    title: String,
    when: Vec<String>,
    logs: Vec<String>,
    context: Vec<String>,
    done: Vec<String>,
    next: Vec<String>,
}

/// The page.
pub async fn change(call: Call) -> Result<Response<Body>, Refusal> {
    let id = change_id(call.param("id"))?;
    let mut view = known(&call.app, id).await?;
    let change = found(&call.app, id).await?;
    let (told, lines, near) = call.app.drive.read(|state| {
        let near = others(state, &change).into_iter().take(20);
        (told(state, id, call.app.drive.now()), timeline(state, &change), ChangeRow::all(state, near))
    });
    let (figures, no_figures) = match evidence::of(&call.app, &change).await? {
        Some((trial, evidence)) => (chosen(figures(&trial, &evidence, harm_since(&change)), &view), None),
        None => (Vec::new(), Some(evidence::why_none(&change))),
    };
    // Hosts that differ come first: those that fail, then those that harm is said of.
    let harmed: Vec<&String> = view.findings.iter().filter(|finding| finding.says == "harm").flat_map(|finding| &finding.hosts).collect();
    let mut hosts = view.hosts.clone();
    hosts.sort_by_key(|host| (host.failures.is_empty() && host.compile_error.is_none(), !harmed.contains(&&host.host), host.onset_ms));
    let more_hosts = hosts.len().saturating_sub(HOSTS_MAX);
    hosts.truncate(HOSTS_MAX);
    view.hosts = hosts;
    let s = Shell::of(&call, "/changes", format!("{} {}", view.row.id, view.row.standing));
    page(&Page { s, c: view, told, figures, no_figures, timeline: lines, others: near, more_hosts })
}

fn told(state: &belay_core::state::State, id: ChangeId, now: Timestamp) -> Told {
    let Some(alert) = alert(state, &Subject::Change(id), now) else { return Told::default() };
    let mut told = Told { title: alert.title, ..Told::default() };
    for part in alert.parts {
        match part.heading {
            "When" => told.when = part.lines,
            "Logs" => told.logs = part.lines,
            "Context" => told.context = part.lines,
            "Done" => told.done = part.lines,
            "Next" => told.next = part.lines,
            _ => {}
        }
    }
    told
}

/// The signals of which something is said come first.
fn chosen(mut figures: Vec<Figure>, view: &ChangeView) -> Vec<Figure> {
    let rank = |figure: &Figure| {
        let about = view.findings.iter().filter(|finding| finding.signal.as_deref() == Some(figure.signal.as_str()));
        about
            .map(|finding| ["harm", "suspicion", "cannot-tell"].iter().position(|says| *says == finding.says).unwrap_or(3))
            .min()
            .unwrap_or(4)
    };
    figures.sort_by_key(rank);
    figures.truncate(PLOTS_MAX);
    figures
}

/// The samples of one signal as CSV: host, whether it changed, time, value.
pub async fn csv(call: Call) -> Result<Response<Body>, Refusal> {
    let id = change_id(call.param("id"))?;
    let signal = call.param("signal").trim_end_matches(".csv").to_owned();
    let change = found(&call.app, id).await?;
    let none = || Refusal::not_found(format!("nothing is kept of a signal {signal} for {id}"));
    let (trial, evidence) = evidence::of(&call.app, &change).await?.ok_or_else(none)?;
    let window = evidence.windows.iter().find(|(name, _)| name.as_str() == signal).map(|(_, window)| window).ok_or_else(none)?;
    let mut text = String::from("host,role,onset,at,value\n");
    for (host, series) in &window.hosts {
        let onset = trial.treated.get(host).map(|treated| treated.onset.to_string()).unwrap_or_default();
        let role = if trial.treated.contains_key(host) { "changed" } else { "peer" };
        for sample in series.samples() {
            text.push_str(&format!("{},{role},{onset},{},{}\n", cell(host.as_str()), sample.at, sample.value));
        }
    }
    Ok(table(text, &format!("{id}-{signal}")))
}

impl Page {
    /// The reason of where it stands, in one sentence.
    fn lead(&self) -> String {
        let strongest = self.c.findings.iter().find(|finding| matches!(finding.says.as_str(), "harm" | "suspicion"));
        match (strongest, self.c.row.standing.as_str()) {
            (Some(finding), "rejected" | "suspect") => finding.text.clone(),
            _ => self.c.explanation.first().cloned().unwrap_or_else(|| self.told.title.clone()),
        }
    }

    /// Signals and checks with what each says.
    fn evidence(&self) -> &[FindingView] {
        &self.c.findings
    }

    /// An effect with its interval.
    fn effect(&self, finding: &FindingView) -> String {
        let numbers = &finding.numbers;
        match (numbers.effect, numbers.effect_low, numbers.effect_high) {
            (Some(_), Some(low), Some(high)) => {
                format!("{} [{} … {}]", self.s.figure(numbers.effect), self.s.figure(low), self.s.figure(high))
            }
            (Some(_), ..) => self.s.figure(numbers.effect),
            _ => "–".to_owned(),
        }
    }

    /// How sure a finding is: its e-value, or its p, of the budget it may spend.
    fn sureness(&self, finding: &FindingView) -> String {
        let numbers = &finding.numbers;
        let sure = match (numbers.ln_e, numbers.p) {
            (Some(ln_e), _) => format!("e 10^{}", self.s.figure(ln_e / std::f64::consts::LN_10)),
            (None, p) => self.s.figure(p),
        };
        match numbers.budget {
            Some(budget) => format!("{sure} of {}", self.s.figure(budget)),
            None => sure,
        }
    }

    /// A difference of texts, as HTML: what came and what went are told apart by sign and colour.
    fn diff(&self, diff: &str) -> String {
        let line = |line: &str| {
            let class = match line.as_bytes().first() {
                Some(b'+') => "add",
                Some(b'-') => "del",
                Some(b'@') => "at",
                _ => return escaped(line),
            };
            format!("<span class=\"{class}\">{}</span>", escaped(line))
        };
        diff.lines().map(line).collect::<Vec<_>>().join("\n")
    }

    /// It can still be decided otherwise.
    fn is(&self, word: &str) -> bool {
        self.c.row.standing == word
    }
}
