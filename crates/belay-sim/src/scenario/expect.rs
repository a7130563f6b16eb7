//! What a story expects. `within D` before it waits for it at most that long.
//!
//! | expectation | what must be so |
//! |---|---|
//! | `change c-1 accepted` | how it stands: `rejected`, `on-trial`, `suspect`, `inconclusive [CODE]` |
//! | `change c-1 because CODE` | a check found harm |
//! | `change c-1 hosts N`, `change c-1 brings ITEM` | how many hosts got it; what came |
//! | `change c-1 decided-within D` | the verdict came that soon after the first host changed |
//! | `changes N`, `open N` | Changes so far; open ones |
//! | `alert [c-1] contains "text"`, `no alert [c-1]`, `alerts N` | what was delivered |
//! | `dead N` | messages that were given up |
//! | `acceptance CLASS R ITEM ["text"] accepted` | a mark: `adopted`, `rejected`, `on-trial`, `unknown` |
//! | `carries HOST ITEM "text"` | what Belay knows a host to carry |
//! | `runs HOST N` | runs recorded |
//! | `flow HOSTS on` | how the application really fares; or `stopped` |
//! | `why SUBJECT contains "text"` | what `belay why` says of a Change or a host |
//! | `told contains "text"` | what somebody was told who sent something |

use belay_core::explain::why;
use belay_core::model::alert::Subject;
use belay_core::model::change::Change;
use belay_core::model::ids::{ChangeId, HostId};
use belay_core::model::item::Mark;
use belay_core::model::verdict::{Gap, Outcome, Says, Standing};
use belay_core::state::{Fact, Scope};

use super::words::Words;
use crate::testimony::content_of;
use crate::world::World;

/// Expects one thing of the world as it is.
pub(super) fn expect(world: &World, words: &mut Words<'_>) -> Result<(), String> {
    match words.next("an expectation")? {
        "change" => change(world, words),
        "changes" => count("Changes", words, usize::try_from(world.state.counters.changes).unwrap_or(usize::MAX)),
        "open" => count("open Changes", words, world.state.open_changes().count()),
        "alert" => alert(world, words),
        "no" => {
            words.must("alert")?;
            let about = words.more().map(|word| ChangeId::parse(word).ok_or_else(|| format!("`{word}` is no Change"))).transpose()?;
            match world.outbox.delivered.iter().find(|one| about.is_none_or(|change| one.about == Subject::Change(change))) {
                None => Ok(()),
                Some(one) => Err(format!("there is one: {}", one.text())),
            }
        }
        "alerts" => count("delivered messages", words, world.outbox.delivered.len()),
        "dead" => count("dead messages", words, world.state.effects.values().filter(|effect| effect.dead).count()),
        "acceptance" => acceptance(world, words),
        "carries" => carries(world, words),
        "runs" => runs(world, words),
        "flow" => flow(world, words),
        "why" => explained(world, words),
        "told" => {
            words.must("contains")?;
            let said: Vec<&str> = world.complaints.iter().map(|(_, text)| text.as_str()).collect();
            contains(&said.join("\n"), words.next("a text")?)
        }
        other => Err(format!("nothing can be expected of `{other}`")),
    }
}

fn count(what: &str, words: &mut Words<'_>, found: usize) -> Result<(), String> {
    let wanted: usize = words.number("a number")?;
    if wanted == found { Ok(()) } else { Err(format!("there are {found} {what}")) }
}

fn contains(text: &str, wanted: &str) -> Result<(), String> {
    if text.contains(wanted) { Ok(()) } else { Err(format!("`{wanted}` is not in:\n{text}")) }
}

fn change(world: &World, words: &mut Words<'_>) -> Result<(), String> {
    let id = words.change()?;
    let change = world.state.changes.get(&id).ok_or_else(|| format!("there is no Change {id}"))?;
    let why = || why::change(&world.state, id, world.clock).join("\n");
    match words.next("how it stands")? {
        "hosts" => count("hosts that got it", words, change.treated.len()).map_err(|said| format!("{said}:\n{}", why())),
        "brings" => {
            let item = words.item()?;
            if change.items.contains_key(&item) { Ok(()) } else { Err(format!("it does not bring it:\n{}", why())) }
        }
        "because" => {
            let code = words.next("a check")?;
            let findings = change.verdict.as_ref().map(|verdict| &verdict.findings);
            let found = findings.into_iter().flatten().any(|finding| finding.says == Says::Harm && finding.check.code() == code);
            if found { Ok(()) } else { Err(format!("no harm was found by it:\n{}", why())) }
        }
        "decided-within" => {
            let (span, began) = (words.span("how soon")?, change.began());
            let at = change.verdict.as_ref().ok_or("it has no verdict")?.at;
            if at.since(began) <= span { Ok(()) } else { Err(format!("it took {}", at.since(began))) }
        }
        standing => {
            let wanted = self::standing(standing, words)?;
            if stands(change, wanted) { Ok(()) } else { Err(format!("it does not stand like that:\n{}", why())) }
        }
    }
}

/// A standing; an inconclusive one may leave its code open.
fn standing(word: &str, words: &mut Words<'_>) -> Result<(Standing, bool), String> {
    Ok(match word {
        "on-trial" => (Standing::OnTrial, true),
        "suspect" => (Standing::Suspect, true),
        "accepted" => (Standing::Final(Outcome::Accepted), true),
        "rejected" => (Standing::Final(Outcome::Rejected), true),
        "inconclusive" => match words.more() {
            None => (Standing::Final(Outcome::Inconclusive(Gap::NoData)), false),
            Some(code) => {
                let gap = Gap::ALL.into_iter().find(|gap| gap.code() == code).ok_or_else(|| format!("there is no code `{code}`"))?;
                (Standing::Final(Outcome::Inconclusive(gap)), true)
            }
        },
        other => return Err(format!("a Change does not stand `{other}`")),
    })
}

fn stands(change: &Change, (wanted, exactly): (Standing, bool)) -> bool {
    match (wanted, change.standing) {
        (Standing::Final(Outcome::Inconclusive(_)), Standing::Final(Outcome::Inconclusive(_))) if !exactly => true,
        (wanted, found) => wanted == found,
    }
}

fn alert(world: &World, words: &mut Words<'_>) -> Result<(), String> {
    let mut word = words.next("`contains`")?;
    let about = ChangeId::parse(word);
    if about.is_some() {
        word = words.next("`contains`")?;
    }
    if word != "contains" {
        return Err(format!("`contains` should stand where `{word}` does"));
    }
    let texts: Vec<String> = world
        .outbox
        .delivered
        .iter()
        .filter(|one| about.is_none_or(|change| one.about == Subject::Change(change)))
        .map(|one| one.text())
        .collect();
    let wanted = words.next("a text")?;
    if texts.iter().any(|text| text.contains(wanted)) {
        Ok(())
    } else {
        Err(format!("`{wanted}` is in no message of:\n{}", texts.join("\n\n")))
    }
}

fn acceptance(world: &World, words: &mut Words<'_>) -> Result<(), String> {
    let scope = Scope { class: words.class()?, release: words.release()? };
    let item = words.item()?;
    let mut mark = words.next("a mark")?;
    let content = match mark {
        "adopted" | "accepted" | "rejected" | "on-trial" | "unknown" => None,
        text => Some(content_of(&item, text)),
    };
    if content.is_some() {
        mark = words.next("a mark")?;
    }
    let of_item = world.state.acceptance.iter().filter(|(known, key, _, _)| **known == scope && **key == item);
    let marks: Vec<Mark> =
        of_item.filter(|(_, _, known, _)| content.is_none_or(|wanted| wanted == **known)).map(|(_, _, _, m)| m.mark).collect();
    let fits = |found: &Mark| {
        matches!(
            (mark, found),
            ("adopted", Mark::Adopted) | ("accepted", Mark::Accepted(_)) | ("rejected", Mark::Rejected(_)) | ("on-trial", Mark::OnTrial(_))
        )
    };
    let holds = if mark == "unknown" { marks.is_empty() } else { marks.iter().any(fits) };
    if holds { Ok(()) } else { Err(format!("its marks are {marks:?}")) }
}

fn carries(world: &World, words: &mut Words<'_>) -> Result<(), String> {
    let id = HostId::parse(words.next("a host")?).map_err(|bad| bad.to_string())?;
    let (item, text) = (words.item()?, words.next("a text")?);
    let carried = world.state.hosts.get(&id).and_then(|host| host.items.get(&item));
    match carried {
        Some(carried) if carried.content == content_of(&item, text) => Ok(()),
        Some(carried) => Err(format!("it carries {} since {}, not {}", carried.content, carried.at, content_of(&item, text))),
        None => Err("nothing is known of it".to_owned()),
    }
}

fn runs(world: &World, words: &mut Words<'_>) -> Result<(), String> {
    let id = HostId::parse(words.next("a host")?).map_err(|bad| bad.to_string())?;
    let recorded = world.journal.iter().filter(|(_, fact)| matches!(fact, Fact::RunRecorded { run, .. } if run.host == id)).count();
    count("runs", words, recorded)
}

fn flow(world: &World, words: &mut Words<'_>) -> Result<(), String> {
    let hosts = words.hosts(&world.fleet)?;
    let wanted = match words.next("`on` or `stopped`")? {
        "on" => false,
        "stopped" => true,
        other => return Err(format!("a flow is `on` or `stopped`, not `{other}`")),
    };
    let stopped = |id: &HostId| world.fleet.hosts[id].timeline.at(world.clock).is_some_and(|condition| condition.health.flow == 0.0);
    match hosts.iter().find(|id| stopped(id) != wanted) {
        None => Ok(()),
        Some(id) => Err(format!("{id} is not like that")),
    }
}

fn explained(world: &World, words: &mut Words<'_>) -> Result<(), String> {
    let subject = words.next("a Change or a host")?;
    words.must("contains")?;
    let lines = match (ChangeId::parse(subject), HostId::parse(subject)) {
        (Some(change), _) => why::change(&world.state, change, world.clock),
        (None, Ok(host)) => why::host(&world.state, &host, world.clock),
        (None, Err(bad)) => return Err(bad.to_string()),
    };
    contains(&lines.join("\n"), words.next("a text")?)
}
