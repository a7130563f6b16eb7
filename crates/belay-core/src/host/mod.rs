//! What a host decides by itself, from the last policy it was given: whether a run may go ahead,
//! which environment it gets, what becomes of the lock that holds it, and what is sent first. Pure,
//! so that the agent, the server and the simulator run the same code.

pub mod classify;
pub mod gate;
pub mod hand;
pub mod lock;
pub mod policy;
pub mod spool;
pub mod table;
pub mod talk;
