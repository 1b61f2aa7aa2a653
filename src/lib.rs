//! One manifest for a pipeline that takes records from HTTP posts to objects in S3: API Gateway passes them to a REST
//! proxy, which puts them into Amazon MSK topics, and an MSK Connect S3 sink writes them to a bucket. This library reads
//! the manifest and makes AWS be as it says; the `pipeline` binary is a thin door to it.
//!
//! # The nouns
//!
//! - A [manifest](manifest::Manifest) declares one pipeline. A valid one needs no further checks.
//! - A [resource](engine::Resource) is one declared thing, with everything that is known about its kind behind one trait:
//!   how it is read, made, changed and deleted, and what a changed field asks for. It has an
//!   [address](engine::Address), `topic/orders`.
//! - [Fields](engine::Fields) are what a resource is made of, flat and in normal form, so that what is wanted and what is
//!   there can be held against each other without knowing the kind.
//! - A [graph](engine::graph::Graph) has the resources, each after what it needs; a
//!   [snapshot](engine::graph::Snapshot) is what was there when they were read.
//! - A [plan](engine::plan::Plan) is what follows from both: [steps](engine::plan::Step) that leave the execution
//!   nothing to decide, and [refusals](engine::plan::Refusal).
//! - [Events](engine::execute::Event) tell what happens while a plan is done.
//! - [Tags](resource::Tags) say whose a thing is.
//! - [Records](flow) are what flows through a pipeline that was applied: `send` posts them, and accounts for each.
//!
//! # The way through
//!
//! ```text
//! manifest (YAML) ──▶ Graph of resources ──▶ Snapshot of what is there ──▶ Plan ──▶ Events ──▶ a person, or JSON
//!    manifest            resource                engine::graph            engine::plan  engine::execute   cli::render
//!
//! cli ──▶ everything below
//! resource ──▶ engine, manifest, aws, archive, iam_document, client_host
//! client_host ──▶ manifest, shell
//! flow ──▶ aws, kafka
//! engine, manifest, aws, kafka, sandbox: none of them imports another one of these, nor anything above
//! archive, iam_document, shell: leaves, that anyone may import
//! ```
//!
//! # The rules
//!
//! 1. **Plan decides, execute obeys.** `plan` shows the very plan that `apply` does.
//! 2. **There is no state file.** Names and tags are identity, and what AWS says is the truth. That is what makes a run
//!    that was killed anywhere safe to run again: everything that is made carries its tags from the creating call on, and
//!    what a killed run left half-made shows as a difference.
//! 3. **An apply is done when what was asked is what is there.** Every change is waited for until AWS shows it, and what
//!    it shows is compared once more, in one place, for all kinds.
//! 4. **Meanings are compared, not texts**: IAM documents, Base64 of JSON or of properties, lists whose order says
//!    nothing. Both sides of a comparison go through the same normal form.
//! 5. **What is not ours is left alone**: something that has our name and lacks our tags is refused, never taken over.
//! 6. **Errors end in an action**, and come before the ten-minute wait where they can.
//! 7. The [sandbox] is an AWS as strict as the real one, as far as it goes. The rest meets it over HTTP alone, through the
//!    same clients, so that nothing works here that would not work there.
//!
//! A new kind is a file in `resource`, an arm in `manifest`, and one in `resource.rs`. If `engine` has to change for it,
//! something is wrong.

pub mod archive;
pub mod aws;
pub mod cli;
mod client_host;
pub mod engine;
pub mod flow;
pub mod iam_document;
pub mod kafka;
pub mod manifest;
pub mod resource;
#[cfg(feature = "sandbox")]
pub mod sandbox;
mod shell;
