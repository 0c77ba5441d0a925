//! The `probe` binary.

fn main() -> std::process::ExitCode {
    probe::main()
}
