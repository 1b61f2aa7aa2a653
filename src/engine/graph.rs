//! Resources in dependency order.
