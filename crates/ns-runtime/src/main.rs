//! The `ns-runtime` binary: everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    ns_runtime::cli::main()
}
