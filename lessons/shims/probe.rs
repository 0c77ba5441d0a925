//! The probe under test: the same entry point as `probe`.

fn main() -> std::process::ExitCode {
    probe::main()
}
