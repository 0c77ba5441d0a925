//! The runtime under test: the same entry point as `coracle`.

fn main() -> std::process::ExitCode {
    coracle::cli::main().into()
}
