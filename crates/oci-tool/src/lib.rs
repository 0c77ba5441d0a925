//! Makes, checks and runs bundles: a folder with a `config.json` and a root filesystem, which is what an OCI runtime
//! takes. One module per verb.

mod bundle;
pub mod cli;
mod error;
pub mod init;
pub mod join;
pub mod prepare;
pub mod run;
pub mod show;
pub mod validate;
