//! `validate`: would Coracle take this bundle?

use std::path::Path;

use anyhow::Result;
use coracle::cgroup::Driver;
use coracle::explain::Explain;
use serde_json::Value;

use crate::{bundle, error};

/// Reads the bundle as the runtime does.
///
/// # Errors
/// The first problem, with its JSON pointer where it is the config's.
pub fn validate(bundle: &Path) -> Result<Value> {
    let config = bundle::read(bundle)?;
    // The id is none that could be wrong: it names no container.
    if let Err(problem) = coracle::bundle::load(bundle, "validate", Driver::Files, &Explain::silent()) {
        return Err(error::about("use the bundle", bundle, problem, "change what the message names"));
    }
    Ok(config)
}
