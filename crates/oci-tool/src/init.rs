//! `init`: a config to begin with, and an empty root filesystem.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;
use coracle::config::Config;
use coracle::spec;

use crate::bundle::{self, CONFIG};
use crate::error;

/// What differs from the default config.
#[derive(Debug, Default, clap::Args)]
pub struct Wish {
    /// The program and its arguments, split at blanks [default: sh]
    #[arg(long, value_name = "COMMAND")]
    args: Option<String>,
    /// No terminal: standard input and output are the caller's
    #[arg(long)]
    no_terminal: bool,
    /// Hostname inside [default: coracle]
    #[arg(long, value_name = "NAME")]
    hostname: Option<String>,
    /// For an ordinary user: a user namespace, and nothing that needs more than one id
    #[arg(long)]
    rootless: bool,
}

/// Makes the bundle in the folder `bundle`, which need not exist.
///
/// # Errors
/// There is a bundle already, and `force` is not set; or the system's. Nothing was changed then.
pub fn init(bundle: &Path, wish: Wish, force: bool) -> Result<()> {
    if !force && let Some(taken) = taken(bundle) {
        let cure = "choose another folder, or replace the config with --force (the root filesystem stays)";
        return Err(error::about("make a bundle:", &taken, "is there already", cure));
    }
    let rootfs = bundle.join("rootfs");
    fs::create_dir_all(&rootfs).map_err(error::io("make the folder", &rootfs))?;
    bundle::put(&bundle.join(CONFIG), spec::text(&config(wish)).as_bytes(), 0o644, force)
}

/// What makes this folder a bundle already.
fn taken(bundle: &Path) -> Option<PathBuf> {
    let config = bundle.join(CONFIG);
    if config.symlink_metadata().is_ok() {
        return Some(config);
    }
    let rootfs = bundle.join("rootfs");
    let empty = match fs::read_dir(&rootfs) {
        Ok(mut entries) => entries.next().is_none(),
        Err(_) => rootfs.symlink_metadata().is_err(),
    };
    (!empty).then_some(rootfs)
}

fn config(wish: Wish) -> Config {
    let mut config = spec::default();
    if wish.rootless {
        spec::make_rootless(&mut config);
    }
    let process = config.process.get_or_insert_default();
    process.terminal = !wish.no_terminal;
    if let Some(args) = wish.args {
        process.args = args.split_whitespace().map(str::to_owned).collect();
    }
    if let Some(hostname) = wish.hostname {
        config.hostname = Some(hostname);
    }
    config
}
