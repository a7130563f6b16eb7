//! Recorded cases, judged by the real judge as if they happened now.

pub mod case;
pub mod cases;
pub mod feed;
pub mod sink;
pub mod told;
