//! `cargo xtask bench judge [CASES]`: the judge on recorded cases, beside three rules that are in use. All get the same cases, none sees
//! their labels; the judge is the release build, and gets the file as it is.

mod cases;
mod charts;
mod kayenta;
mod scorer;
mod series;
mod table;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, bail, ensure};
use serde_json::{Value, json};

use self::cases::{Case, Label};
use self::scorer::{Tally, Verdict};

/// Where the cases lie beside a checkout. They are not part of it: 9 MB of other people's data.
const CASES: &str = "../shared/judge/dev-cases.jsonl.gz";

/// A rule beside ours: its key in the report, and what it says of a case.
struct Peer {
    name: &'static str,
    rule: fn(&Case) -> Verdict,
}

const PEERS: [Peer; 3] = [
    Peer { name: "kayenta", rule: kayenta::kayenta },
    Peer { name: "three_sigma", rule: charts::three_sigma },
    Peer { name: "cusum", rule: charts::cusum },
];

/// How one judge did: on the cases it was developed on, on the others, on all.
pub struct Column {
    pub name: &'static str,
    pub even: Tally,
    pub odd: Tally,
    pub all: Tally,
}

impl Column {
    fn new(name: &'static str) -> Column {
        Column { name, even: Tally::default(), odd: Tally::default(), all: Tally::default() }
    }

    fn add(&mut self, label: &Label, even: bool, verdict: Verdict) {
        self.all.add(label, verdict);
        if even { &mut self.even } else { &mut self.odd }.add(label, verdict);
    }
}

pub fn run(root: &Path, words: &[&str]) -> anyhow::Result<ExitCode> {
    let cases = match words {
        [] => root.join(CASES),
        [path] => PathBuf::from(path),
        _ => bail!("give one file of cases, or none for {CASES}"),
    };
    if !cases.is_file() {
        ensure!(words.is_empty(), "there is no file {}", cases.display());
        println!("nothing is measured: there are no cases at {CASES}; `cargo xtask bench judge CASES.jsonl.gz` takes others");
        println!("{}", json!({"bench": "judge", "measured": false, "reason": "no cases"}));
        return Ok(ExitCode::SUCCESS);
    }
    let belay = super::build(root, &["-p", "belay"])?.join("belay");
    let folder = tempfile::tempdir()?;
    let verdicts = folder.path().join("verdicts.jsonl");
    let cpu_ms = judge(&belay, &cases, &verdicts)?;
    let columns = hold_against_the_truth(&cases, &read_verdicts(&verdicts)?)?;
    let count = columns[0].all.cases();
    println!("{}", table::tables(&columns));
    println!("CPU of ours: {:.1} ms a case, reading included ({count} cases)", cpu_ms / count as f64);
    println!("{}", report(&columns, cpu_ms / count as f64));
    Ok(ExitCode::SUCCESS)
}

/// Lets the judge judge; says how much CPU time it took.
fn judge(belay: &Path, cases: &Path, verdicts: &Path) -> anyhow::Result<f64> {
    let before = cpu_of_children_ms()?;
    let status = Command::new(belay).arg("judge").arg(cases).arg("--out").arg(verdicts).stdin(Stdio::null()).status();
    let status = status.with_context(|| format!("start {}", belay.display()))?;
    ensure!(status.success(), "belay judge ended with {status}");
    Ok(cpu_of_children_ms()? - before)
}

/// CPU time of all children that have ended, as the kernel counts it: in hundredths of a second.
fn cpu_of_children_ms() -> anyhow::Result<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat").context("read the CPU time of children")?;
    // The name of the program is in brackets and may hold anything; user and system time of children are the 14th and 15th field after it.
    let after = stat.rsplit_once(')').context("/proc/self/stat has another form")?.1;
    let fields: Vec<u64> = after.split_whitespace().skip(13).take(2).filter_map(|field| field.parse().ok()).collect();
    ensure!(fields.len() == 2, "/proc/self/stat has another form");
    Ok(fields.iter().sum::<u64>() as f64 * 10.0)
}

fn read_verdicts(path: &Path) -> anyhow::Result<BTreeMap<String, Verdict>> {
    let mut verdicts = BTreeMap::new();
    cases::for_lines(path, |line| {
        let id = line["id"].as_str().context("a verdict without `id`")?;
        let verdict = match line["verdict"].as_str() {
            Some("accepted") => Verdict::Accepted,
            Some("inconclusive") => Verdict::Inconclusive,
            Some("rejected") => Verdict::Rejected { at: line["t"].as_f64().context("a rejection without `t`")? },
            other => bail!("the verdict on {id} is {other:?}"),
        };
        ensure!(verdicts.insert(id.to_owned(), verdict).is_none(), "a second verdict on {id}");
        Ok(())
    })?;
    Ok(verdicts)
}

fn hold_against_the_truth(path: &Path, ours: &BTreeMap<String, Verdict>) -> anyhow::Result<Vec<Column>> {
    let mut columns: Vec<Column> = std::iter::once("ours").chain(PEERS.iter().map(|peer| peer.name)).map(Column::new).collect();
    let mut known = Known::default();
    cases::each(path, |case, label| {
        let ours = *ours.get(&label.id).with_context(|| format!("there is no verdict on {}", label.id))?;
        let verdicts: Vec<Verdict> = std::iter::once(ours).chain(PEERS.iter().map(|peer| (peer.rule)(case))).collect();
        let even = label.is_even()?;
        for (column, verdict) in columns.iter_mut().zip(&verdicts) {
            column.add(&label, even, *verdict);
        }
        known.see(&label, charts::three_sigma(case))
    })?;
    ensure!(columns[0].all.cases() == ours.len() as u64, "there are verdicts on cases that are not in {}", path.display());
    Ok(columns)
}

/// The figures published with the cases for three sigma on the first sixty: if ours differ, then neither rule nor scorer can be trusted.
#[derive(Default)]
struct Known {
    seen: u64,
    others: bool,
    tally: Tally,
}

impl Known {
    const FIRST: u64 = 60;

    fn see(&mut self, label: &Label, verdict: Verdict) -> anyhow::Result<()> {
        if self.seen == Known::FIRST {
            return Ok(());
        }
        self.others |= label.id != format!("dev-1-{:05}", self.seen);
        self.tally.add(label, verdict);
        self.seen += 1;
        if self.seen < Known::FIRST || self.others {
            return Ok(());
        }
        check_published(&self.tally).context("three sigma on the first 60 cases")
    }
}

fn check_published(tally: &Tally) -> anyhow::Result<()> {
    let (low, high) = tally.false_interval();
    let delays = [0.5, 0.9].map(|q| tally.delay(q).unwrap_or(f64::NAN));
    let found =
        [tally.precision(), tally.found().value(), tally.f1(), tally.false_ones().value(), low, high].map(|value| format!("{value:.3}"));
    ensure!(found == ["0.615", "0.333", "0.432", "0.167", "0.073", "0.336"], "other figures than published: {found:?}");
    ensure!(delays.map(|delay| format!("{delay:.1}")) == ["2.5", "20.8"], "other delays than published: {delays:?}");
    ensure!(tally.missing.accepted == 6 && tally.missing.all() == 6, "other verdicts on missing data than published: {:?}", tally.missing);
    Ok(())
}

fn report(columns: &[Column], cpu_ms: f64) -> Value {
    let of = |column: &Column| json!({"even": figures(&column.even), "odd": figures(&column.odd), "all": figures(&column.all)});
    let mut ours = of(&columns[0]);
    ours["cpu_ms_per_case"] = round(cpu_ms).into();
    let peers: serde_json::Map<String, Value> = columns[1..].iter().map(|column| (column.name.to_owned(), of(column))).collect();
    json!({"bench": "judge", "ours": ours, "peers": peers})
}

fn figures(tally: &Tally) -> Value {
    let (low, high) = tally.false_interval();
    let kinds = |kinds: &BTreeMap<String, scorer::Share>| -> Value {
        kinds
            .iter()
            .map(|(kind, share)| (kind.clone(), Value::from(round(share.value() * 100.0))))
            .collect::<serde_json::Map<_, _>>()
            .into()
    };
    json!({
        "cases": tally.cases(),
        "precision_percent": round(tally.precision() * 100.0),
        "recall_percent": round(tally.found().value() * 100.0),
        "f1_percent": round(tally.f1() * 100.0),
        "false_rejections_percent": round(tally.false_ones().value() * 100.0),
        "false_rejections_percent_95": [round(low * 100.0), round(high * 100.0)],
        "delay_p50_samples": tally.delay(0.5).map(round),
        "delay_p90_samples": tally.delay(0.9).map(round),
        "rejected_before_onset_cases": tally.early,
        "inconclusive_percent": round(tally.undecided.value() * 100.0),
        "missing_accepted_cases": tally.missing.accepted,
        "missing_rejected_cases": tally.missing.rejected,
        "missing_inconclusive_cases": tally.missing.inconclusive,
        "recall_percent_level_shift_4_sd": round(tally.clear_shifts.value() * 100.0),
        "recall_percent_by_kind": kinds(&tally.bad_kinds),
        "false_rejections_percent_by_kind": kinds(&tally.good_kinds),
    })
}

fn round(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}
