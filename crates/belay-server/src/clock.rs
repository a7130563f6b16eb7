//! The clock as a value that is passed in, so that tests and simulations decide what time it is.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use belay_core::model::time::Timestamp;

/// Says what time it is. The drive never lets time go back, whatever a clock says.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// The machine's own clock.
pub fn system() -> Clock {
    Arc::new(|| {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_ms(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    })
}
