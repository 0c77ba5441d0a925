//! The commands, their states and their words, by the documents they come from.

testkit::suite! { "machine", runtime = env!("CARGO_BIN_EXE_ns-runtime"), tests = [] }
