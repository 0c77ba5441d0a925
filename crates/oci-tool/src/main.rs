//! The `oci-tool` binary: everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    oci_tool::cli::main()
}
