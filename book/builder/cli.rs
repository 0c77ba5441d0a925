//! The command line: what `cargo run -p book -- VERB` takes. The check looks its own verbs up here.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

/// Builds, serves, checks and publishes the book.
#[derive(Parser)]
#[command(name = "book", version)]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub verb: Option<Verb>,
}

/// The verbs.
#[derive(Subcommand)]
pub enum Verb {
    /// Build into target/book (the default)
    Build,
    /// Build, serve on this machine, and build again when something changes
    Serve {
        /// The port on the loopback address
        #[arg(long, default_value_t = 3000)]
        port: u16,
    },
    /// Build into a scratch folder and try everything the book and README say
    Check,
    /// Type what the documents show, and compare (as root)
    Documents {
        /// Part of a transcript's name, such as 001; all, if there is none
        #[arg(value_name = "FILE")]
        file: Option<String>,
        /// Compare the commands of the transcript FILE with those in the document's own text instead
        #[arg(long, value_name = "DOCUMENT", requires = "file")]
        against: Option<PathBuf>,
    },
    /// Write README's map of the lessons from their manifests
    Readme,
    /// Build one version of the published book, and list all that are there
    Publish {
        /// `latest`, or the tag, such as v0.2.1
        #[arg(long)]
        version: String,
        /// The folder that holds a folder a version
        #[arg(long, value_name = "DIR")]
        site: PathBuf,
    },
}
