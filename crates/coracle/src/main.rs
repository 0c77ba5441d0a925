//! The `coracle` binary: everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    coracle::cli::main()
}
