//! Feeds in plain words, and the alert of one that is silent.

use super::alert::{part, titled};
use crate::decide::feeds::patience;
use crate::model::alert::{Alert, Subject};
use crate::model::feed::{Feed, FeedId};
use crate::model::time::Timestamp;
use crate::state::State;

/// A feed on one line.
pub fn line(state: &State, feed: &Feed, now: Timestamp) -> String {
    let hosts = hosts(state, feed);
    match feed.silent {
        Some(since) => format!("{}: silent since {since}, for {}; it speaks for {hosts}", feed.id, now.since(since)),
        None => format!("{}: it last spoke {} ago, for {hosts}", feed.id, now.since(feed.last)),
    }
}

/// The hosts a feed speaks for, counted.
fn hosts(state: &State, feed: &Feed) -> String {
    let Some(pattern) = &feed.hosts else { return "whatever hosts it names".to_owned() };
    let count = state.hosts.keys().filter(|host| pattern.matches(host.as_str())).count();
    format!("{count} hosts ({})", pattern.as_str())
}

/// The alert of a feed; none once it is forgotten.
pub(super) fn alert(state: &State, id: &FeedId, now: Timestamp) -> Option<Alert> {
    let feed = state.feeds.get(id)?;
    let key = format!("belay/{}", Subject::Feed(id.clone()));
    let Some(since) = feed.silent else {
        let title = titled("resolved", &format!("{id} speaks again"));
        return Some(Alert { key, title, status: "resolved", firing: false, parts: vec![], link: None });
    };
    let (quiet, hosts) = (now.since(since), hosts(state, feed));
    Some(Alert {
        key,
        title: titled("feed silent", &format!("nothing came by {id} for {quiet}: {hosts}")),
        status: "feed silent",
        firing: true,
        parts: vec![
            part("Where", vec![format!("{id}, which speaks for {hosts}")]),
            part("When", vec![format!("since {since}, {quiet} ago; its usual gap is {}, and {} would have been no news", feed.gap, patience(feed))]),
            part(
                "Why",
                vec![
                    "either nothing runs there any more, or its server gave up sending: a server that got no answer in time drops this road silently until it is restarted".to_owned(),
                    "what happens on these hosts meanwhile is not seen by this road: runs and what they changed are missing, which is never taken for good".to_owned(),
                ],
            ),
            part(
                "Next",
                vec![
                    "look at the server of the tool: does it run, does its log say that it cannot reach Belay, does its credential still hold?".to_owned(),
                    "restart it once Belay answers, then see: belay doctor".to_owned(),
                    "if nobody acts: reports of these hosts come by their own agents, where they have them, and else not at all".to_owned(),
                ],
            ),
        ],
        link: None,
    })
}
