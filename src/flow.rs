//! Records on their way: where they come from, how they are posted, and what became of each of them.
//!
//! ```text
//! Source ──▶ Batch ──▶ Post ──▶ the invoke URL ──▶ Outcome of each record ──▶ Summary
//!  records     batch     post                          post::reply              sender
//! ```

pub mod batch;
pub mod diagnosis;
pub mod lanes;
pub mod post;
pub mod probe;
pub mod ranges;
pub mod records;
pub mod rejects;
pub mod sender;
