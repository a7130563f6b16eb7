//! What a Change waits for, in plain words.

use super::gate::closed;
use crate::decide::plan::Wait;
use crate::model::time::Timestamp;

/// One thing that is waited for.
pub fn wait(wait: &Wait, now: Timestamp) -> String {
    match wait {
        Wait::Hosts { more: 1 } => "a run on 1 more host that may have it".to_owned(),
        Wait::Hosts { more } => format!("runs on {more} more hosts that may have it"),
        Wait::Verdict { from, ends } if now < *from => {
            format!("its verdict: accepted {from} at the earliest, decided {ends} at the latest")
        }
        Wait::Verdict { ends, .. } if now < *ends => format!("its verdict, by {ends} at the latest"),
        Wait::Verdict { .. } => "its verdict, with the next look at its signals".to_owned(),
        Wait::Suspicion(text) => format!("a suspicion to be cleared: {text}"),
        Wait::Data { signal, hosts, why } => {
            let hosts = if *hosts == 1 { "1 host".to_owned() } else { format!("{hosts} hosts") };
            format!("signal {signal}, which must be seen and is not on {hosts}: {}", why.words())
        }
        Wait::Closed(by) => closed(by),
    }
}
