//! Whole manifests: what is wrong with them, and what becomes of good ones.
