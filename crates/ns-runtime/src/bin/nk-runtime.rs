//! `ns-runtime` by its older name.

use std::process::ExitCode;

fn main() -> ExitCode {
    ns_runtime::cli::main()
}
