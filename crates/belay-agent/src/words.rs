//! The gate's answer in plain words, for whoever stands before the host. The words are the core's.

use belay_core::explain::gate;
use belay_core::model::gate::{Gate, GateAnswer};
use belay_core::model::time::Timestamp;

/// The way out, which needs no server.
pub const GLASS: &str = "`belay-agent break-glass --for 1h --reason \"...\"`";

/// Why, in one sentence, without the answer itself.
pub fn sentence(answer: &GateAnswer, now: Timestamp) -> String {
    answer.why.iter().map(|why| gate::reason(why, now)).collect::<Vec<_>>().join("; ")
}

/// What to do; nothing where nothing has to be done.
pub fn remedy(answer: &GateAnswer) -> Option<String> {
    let remedy = gate::remedy(answer).filter(|_| answer.gate != Gate::Go)?;
    // The server's words end where a server is; here there may be none.
    Some(if remedy.contains("break-glass") { remedy } else { format!("{remedy}; in need: {GLASS}") })
}
