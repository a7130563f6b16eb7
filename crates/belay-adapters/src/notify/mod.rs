//! Alerts, from a letter to the request that delivers it. Sending, retrying and giving up are the
//! executor's.

pub mod webhook;
