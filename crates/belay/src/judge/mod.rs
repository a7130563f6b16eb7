//! Recorded cases, judged by the real judge as if they happened now.

pub mod case;
pub mod feed;
