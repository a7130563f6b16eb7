//! Hosts.

use std::ops::Bound;

use belay_api::http::{HostDiffView, HostRow, HostView, Page};
use belay_core::model::ids::{ClassName, HostId};
use belay_core::state::State;

use super::super::App;
use super::super::refusal::Refusal;
use super::super::route::{Call, Param};
use super::{PAGED, limit};
use crate::ledger::{LedgerError, Reader};
use crate::views::diff;

/// Parameters of the list.
pub(crate) const LIST: [Param; 3] = [PAGED[0], PAGED[1], Param { name: "class", about: "Only hosts of this class." }];

/// Hosts, by name.
pub(crate) async fn list(call: Call) -> Result<Page<HostRow>, Refusal> {
    let class = call.query("class").map(ClassName::parse).transpose().map_err(|bad| Refusal::bad_request(format!("class: {bad}")))?;
    let after = call.query("after").map(HostId::parse).transpose().map_err(|bad| Refusal::bad_request(format!("after: {bad}")))?;
    let limit = limit(&call)?;
    Ok(call.app.drive.read(|state| page(state, class.as_ref(), after.as_ref(), limit)))
}

fn page(state: &State, class: Option<&ClassName>, after: Option<&HostId>, limit: usize) -> Page<HostRow> {
    let from = after.map_or(Bound::Unbounded, Bound::Excluded);
    let hosts = state.hosts.range((from, Bound::Unbounded)).map(|(_, host)| host);
    let mut rows: Vec<HostRow> =
        hosts.filter(|host| class.is_none_or(|class| host.class == *class)).take(limit + 1).map(HostRow::from).collect();
    let more = rows.len() > limit;
    rows.truncate(limit);
    let next = rows.last().filter(|_| more).map(|row| row.name.clone());
    Page { items: rows, next }
}

/// One host.
pub(crate) async fn view(call: Call) -> Result<HostView, Refusal> {
    let host = HostId::parse(call.param("host")).map_err(|bad| Refusal::bad_request(format!("host: {bad}")))?;
    let view = call.app.drive.read(|state| state.hosts.get(&host).map(|known| HostView::of(state, known)));
    view.ok_or_else(|| Refusal::not_found(format!("there is no host {host}; it appears with its first report or its first facts")))
}

/// What it was offered last, beside what it has.
pub(crate) async fn offered(call: Call) -> Result<HostDiffView, Refusal> {
    let host = HostId::parse(call.param("host")).map_err(|bad| Refusal::bad_request(format!("host: {bad}")))?;
    let known = call.app.drive.read(|state| state.hosts.contains_key(&host));
    let nothing = || match known {
        true => format!("nothing is known of what {host} is offered: its tool's server has to send catalogs, see the manual"),
        false => format!("there is no host {host}"),
    };
    diff_of(&call.app, &host).await?.ok_or_else(|| Refusal::not_found(nothing()))
}

/// What a host was offered last, beside what it has; none where nothing is known of it.
pub(crate) async fn diff_of(app: &App, host: &HostId) -> Result<Option<HostDiffView>, Refusal> {
    let asked = host.clone();
    let Some(offer) = app.readers.ask(move |reader| reader.offer(&asked)).await? else { return Ok(None) };
    let found = app.drive.read(|state| state.hosts.get(host).map(|known| diff::offered(state, known, &offer)));
    let Some((mut view, pairs)) = found else { return Ok(None) };
    let compare = move |reader: &Reader| -> Result<Vec<_>, LedgerError> {
        pairs.iter().map(|(place, pair)| Ok((*place, diff::compared(reader, *pair)?))).collect()
    };
    for (place, diff) in app.readers.ask(compare).await? {
        if let Some(item) = view.differs.get_mut(place) {
            item.diff = diff;
        }
    }
    Ok(Some(view))
}
