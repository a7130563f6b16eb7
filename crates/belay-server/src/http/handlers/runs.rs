//! Runs.

use belay_api::http::{Page, RunRow, RunView};
use belay_core::model::ids::{ChangeId, HostId, RunId};

use super::super::refusal::Refusal;
use super::super::route::{Call, Param};
use super::{PAGED, after, limit, page};
use crate::ledger::RunFilter;

/// Parameters of the list.
pub(crate) const LIST: [Param; 4] = [
    PAGED[0],
    PAGED[1],
    Param { name: "host", about: "Only runs of this host." },
    Param { name: "change", about: "Only runs of this Change, for example c-17." },
];

/// Runs, newest first.
pub(crate) async fn list(call: Call) -> Result<Page<RunRow>, Refusal> {
    let host = call.query("host").map(HostId::parse).transpose().map_err(|bad| Refusal::bad_request(format!("host: {bad}")))?;
    let change = call.query("change").map(change_id).transpose()?;
    let (filter, before, limit) = (RunFilter { host, change }, after(&call)?, limit(&call)?);
    let found = call.app.readers.ask(move |reader| reader.runs(&filter, before, limit)).await?;
    Ok(page(found, |run| RunRow::from(&run)))
}

/// One run.
pub(crate) async fn view(call: Call) -> Result<RunView, Refusal> {
    found(&call).await
}

/// The run that a path names, for whoever shows it.
pub(crate) async fn found(call: &Call) -> Result<RunView, Refusal> {
    let text = call.param("id");
    let id = RunId::parse(text).ok_or_else(|| Refusal::bad_request(format!("{text:?} is no run; write for example run-42")))?;
    let found = call.app.readers.ask(move |reader| reader.run(id)).await?;
    found.map(|run| RunView::from(&run)).ok_or_else(|| Refusal::not_found(format!("there is no {id}")))
}

/// A Change's number in a path or query.
pub(crate) fn change_id(text: &str) -> Result<ChangeId, Refusal> {
    ChangeId::parse(text).ok_or_else(|| Refusal::bad_request(format!("{text:?} is no Change; write for example c-17")))
}
