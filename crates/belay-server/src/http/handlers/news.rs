//! News: as a list, and as they happen.

use axum::body::Body;
use axum::http::Response;
use belay_api::http::{NewsView, Page};
use belay_core::model::ids::{ClassName, HostId};

use super::super::events::Listening;
use super::super::refusal::Refusal;
use super::super::route::{Call, Param};
use super::{PAGED, after, limit, page};
use crate::ledger::NewsFilter;

const CLASS: Param = Param { name: "class", about: "Only what is about this class, or about no class in particular." };
const HOST: Param = Param { name: "host", about: "Only what is about this host." };

/// Parameters of the list.
pub(in crate::http) const LIST: [Param; 5] =
    [PAGED[0], PAGED[1], CLASS, HOST, Param { name: "since", about: "Only what came after this number, oldest first." }];

/// Parameters of the stream.
pub(in crate::http) const EVENTS: [Param; 3] =
    [CLASS, HOST, Param { name: "since", about: "After which number; `Last-Event-ID` goes before it, and without either it begins now." }];

/// News: newest first, or from a number on.
pub(in crate::http) async fn list(call: Call) -> Result<Page<NewsView>, Refusal> {
    let (filter, limit) = (filter(&call)?, limit(&call)?);
    let Some(since) = number(call.query("since"), "since")? else {
        let before = after(&call)?;
        let found = call.app.readers.ask(move |reader| reader.news(&filter, before, limit)).await?;
        return Ok(page(found, |news| news));
    };
    let since = after(&call)?.unwrap_or(since);
    let mut items = call.app.readers.ask(move |reader| reader.news_since(&filter, since, limit + 1)).await?;
    let more = items.len() > limit;
    items.truncate(limit);
    let next = items.last().filter(|_| more).map(|last| last.seq.to_string());
    Ok(Page { items, next })
}

/// News as they happen.
pub(in crate::http) async fn events(call: Call, (): ()) -> Result<Response<Body>, Refusal> {
    let filter = filter(&call)?;
    let seen = call.headers.get("last-event-id").map(|value| value.to_str().unwrap_or("?"));
    let since = match (number(seen, "Last-Event-ID")?, number(call.query("since"), "since")?) {
        (Some(seen), _) | (None, Some(seen)) => seen,
        (None, None) => call.app.readers.ask(|reader| reader.last()).await?,
    };
    call.app.streams.begin(&call.app, Listening { filter, since, credential: call.credential })
}

fn filter(call: &Call) -> Result<NewsFilter, Refusal> {
    let class = call.query("class").map(ClassName::parse).transpose().map_err(|bad| Refusal::bad_request(format!("class: {bad}")))?;
    let host = call.query("host").map(HostId::parse).transpose().map_err(|bad| Refusal::bad_request(format!("host: {bad}")))?;
    Ok(NewsFilter { class, host })
}

fn number(text: Option<&str>, name: &str) -> Result<Option<u64>, Refusal> {
    let Some(text) = text else { return Ok(None) };
    let bad = || Refusal::bad_request(format!("{name}: {text:?} is no number of news; send the `seq` of the last that was seen"));
    text.trim().parse().map(Some).map_err(|_| bad())
}
