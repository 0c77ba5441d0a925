//! The command line of rootfs-builder.

use std::process::ExitCode;

use clap::Parser;
use clap::builder::{OsStringValueParser, TypedValueParser};
use rootfs_builder::{Output, Source, build};

/// Makes a root filesystem out of one static program, the same bytes on every run.
///
/// Prints the output's path, the number of its entries and the digest of the tree as a tar, which is the same for all
/// three outputs.
#[derive(Parser)]
#[command(
    version,
    after_help = "Example:\n  \
    rootfs-builder --source busybox=\"$(scripts/fetch-busybox)\" --output dir=rootfs"
)]
struct Arguments {
    /// The program: busybox=PATH (scripts/fetch-busybox prints the path of one) or probe=PATH. It must be static.
    #[arg(long, value_name = "KIND=PATH", value_parser = OsStringValueParser::new().try_map(Source::parse))]
    source: Source,

    /// What to make: dir=PATH, tar=PATH, or oci=PATH (an OCI image layout). The directory above PATH must exist.
    #[arg(long, value_name = "KIND=PATH", value_parser = OsStringValueParser::new().try_map(Output::parse))]
    output: Output,

    /// Replace an earlier output of the same kind. Anything else is never replaced.
    #[arg(long)]
    force: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match build(&arguments.source, &arguments.output, arguments.force) {
        Ok(report) => {
            println!("{}: {} entries, {}", report.path.display(), report.entries, report.digest);
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("rootfs-builder: cannot {error}");
            ExitCode::FAILURE
        }
    }
}
