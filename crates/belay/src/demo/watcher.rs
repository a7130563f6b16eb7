//! What Belay makes of it, as its API says it and as the alert says it that arrives.

use belay_api::http::{ChangeRow, ChangeView, Page};

use super::Teller;
use super::house::House;
use super::measure::Changes;
use super::receiver::Received;
use super::scenes::Scenes;
use crate::out::inert::{clip, inert};
use crate::out::paint::Tone;
use crate::out::told::count;

/// Longest text of what a Change is, in characters.
const WHAT_MAX: usize = 110;
/// Lines of reasons under a verdict.
const REASONS_MAX: usize = 3;

/// What was seen so far.
#[derive(Debug, Default)]
pub struct Watcher {
    /// The Changes of the story.
    pub changes: Changes,
    /// The alert that says that the bad change was rejected.
    pub alert: Option<Received>,
    /// People were told of hosts to which nothing was applied, with the hold behind it.
    pub stale: bool,
}

impl Watcher {
    /// Looks, and tells what is new.
    ///
    /// # Errors
    /// When the server cannot be asked.
    pub async fn look(&mut self, house: &mut House, scenes: &mut Scenes, teller: &mut Teller) -> anyhow::Result<()> {
        let page: Page<ChangeRow> = house.client.get("/api/v1/changes?limit=50").await?;
        for row in page.items.iter().rev() {
            let before = self.changes.known(&row.id).map(|view| view.row.clone());
            let view: ChangeView = house.client.get(&format!("/api/v1/changes/{}", row.id)).await?;
            if before.as_ref().is_none_or(|before| before.standing != view.row.standing) {
                scenes.tell_all(teller);
                tell(&view, before.is_none(), teller);
            }
            self.changes.put(view);
        }
        while let Some(alert) = house.receiver.next() {
            scenes.tell_all(teller);
            self.hear(alert, teller);
        }
        Ok(())
    }

    /// The first alert that says `rejected` is shown in full; others by their title.
    fn hear(&mut self, alert: Received, teller: &mut Teller) {
        let of_the_bad = self.changes.bad().is_some_and(|bad| alert.details.key == format!("belay/{}", bad.row.id));
        let first = of_the_bad && alert.details.status == "rejected" && self.alert.is_none();
        if matches!(alert.details.status.as_str(), "stale" | "resolved") {
            // Hosts come and go while the story goes on; the first time tells what it is about.
            if self.stale || !alert.title.contains("held by") {
                return;
            }
            self.stale = true;
            teller.tell(Tone::Warn, "Alerted", &clip(&alert.title, 130));
            let why = alert.text.lines().filter(|line| line.contains("do not re-enable"));
            why.take(2).for_each(|line| teller.more(&clip(line.trim(), 150)));
            return;
        }
        if !first {
            let update = if of_the_bad { "once more, as it stands now: " } else { "" };
            teller.tell(Tone::Plain, "Alerted", &format!("{update}{}", clip(&alert.title, 130)));
            return;
        }
        teller.tell(Tone::Bad, "Alerted", "this arrived at the demo's own webhook, in full:");
        teller.block(&shown(&alert, teller));
        self.alert = Some(alert);
    }
}

/// An alert in full, set off from the story.
fn shown(alert: &Received, teller: &Teller) -> String {
    let paint = teller.paint();
    let bar = paint.tone("|", Tone::Bad);
    let mut text = format!("\n   {bar} {}\n", paint.tone(&inert(&alert.title), Tone::Strong));
    for line in alert.text.lines() {
        let line = inert(line);
        let tone = if line.starts_with(' ') { Tone::Plain } else { Tone::Strong };
        text.push_str(&format!("   {bar} {}\n", paint.tone(&line, tone)));
    }
    text + "\n"
}

/// A Change that is new, or stands differently than before.
fn tell(view: &ChangeView, new: bool, teller: &mut Teller) {
    let row = &view.row;
    if new {
        teller.tell(Tone::Busy, "On trial", &format!("{}: {}", row.id, clip(&row.what, WHAT_MAX)));
    }
    let hosts = format!("{} of {}", row.hosts_changed, count(row.class_size, "host"));
    match row.standing.as_str() {
        "suspect" => teller.tell(Tone::Warn, "Suspect", &format!("{} on {hosts}: too few of them show harm to be sure", row.id)),
        "accepted" => {
            teller.tell(Tone::Good, "Accepted", &format!("{} on {hosts}: nothing got worse, and all that had to be seen was seen", row.id));
            teller.more(&clip(&row.what, WHAT_MAX));
        }
        "rejected" => {
            teller.tell(Tone::Bad, "Rejected", &format!("{} on {hosts}", row.id));
            reasons(view, "harm").iter().for_each(|reason| teller.more(reason));
        }
        "inconclusive" => {
            let (gap, lacks) = (row.gap.as_deref().unwrap_or("unknown"), lacks(view));
            let lesson = if lacks.is_empty() { "it cannot be told" } else { "what was not seen is never accepted" };
            teller.tell(Tone::Warn, "Inconclusive", &format!("{} on {hosts} ({gap}): {lesson}", row.id));
            lacks.iter().for_each(|lack| teller.more(lack));
        }
        _ => {}
    }
}

fn reasons(view: &ChangeView, says: &str) -> Vec<String> {
    let findings = view.verdict.as_ref().map_or(&view.findings, |verdict| &verdict.findings);
    findings.iter().filter(|finding| finding.says == says).take(REASONS_MAX).map(|finding| clip(&finding.text, WHAT_MAX)).collect()
}

fn lacks(view: &ChangeView) -> Vec<String> {
    let lacks = view.verdict.as_ref().map_or(&view.lacks, |verdict| &verdict.lacks);
    let line = |lack: &belay_api::http::LackView| format!("{}: {} on {}", lack.signal, lack.text, count(lack.hosts.len(), "host"));
    lacks.iter().filter(|lack| lack.must_have).take(REASONS_MAX).map(line).collect()
}
