//! The command line as engines write it: what drives an OCI runtime must be able to drive this one.

mod common;
#[path = "command_line/descriptors.rs"]
mod descriptors;
#[path = "command_line/engines.rs"]
mod engines;
#[path = "command_line/log.rs"]
mod log;
#[path = "command_line/place.rs"]
mod place;
#[path = "command_line/ps.rs"]
mod ps;
#[path = "command_line/recorded.rs"]
mod recorded;
#[path = "command_line/root.rs"]
mod root;
#[path = "command_line/signals.rs"]
mod signals;
#[path = "command_line/sockets.rs"]
mod sockets;
#[path = "command_line/words.rs"]
mod words;

use common::Bundle;
use descriptors::*;
use engines::*;
use log::*;
use place::*;
use ps::*;
use recorded::*;
use root::*;
use signals::*;
use sockets::*;
use words::*;

testkit::suite! { "command_line",
    runtime = env!("CARGO_BIN_EXE_coracle"),
    tests = [
        the_calls_of_engines_are_understood(userns),
        each_call_of_an_engine_is_understood(userns),
        each_call_of_an_engine_about_a_group_is_understood(root, cgroup),
        a_terminal_goes_to_conmons_socket(userns),
        the_calls_that_count_processes_are_understood(root, cgroup),
        options_stand_before_or_behind_the_id(userns),
        options_end_at_the_id_where_a_program_follows(userns),
        a_switch_may_have_a_value(userns),
        the_version_is_in_lines(),
        an_error_of_the_command_line_is_one_record(),
        a_log_behind_the_verb_is_the_programs(),
        an_absurd_count_of_descriptors_is_refused(),
        the_log_is_none_of_the_callers_descriptors(),
        sockets_and_descriptors_count_together(userns),
        a_pidfd_goes_to_its_socket(userns),
        a_pidfd_socket_that_nobody_listens_on_is_an_error(userns),
        a_root_is_changed_without_pivot_root(userns),
        what_was_below_a_moved_root_is_off(userns, busybox),
        signal_0_asks_whether_it_runs(userns),
        a_signal_is_known_by_each_of_its_names(userns),
        a_signal_that_does_not_exist_is_named(userns),
        a_long_option_may_have_one_dash(userns),
        rootless_may_have_its_value_behind_it(),
        what_ps_itself_says_is_told(root, cgroup),
        an_ordinary_users_containers_are_in_their_runtime_directory(root),
    ]
}

/// A bundle whose program waits until it is told to end.
fn waiting() -> Bundle {
    let bundle = Bundle::new();
    bundle.args(&["/probe", "wait-signal", "TERM"]);
    bundle
}

/// What stands for the names of a bundle in a row: `BUNDLE`, `ID`, and files in the bundle's folder (`@pid`).
fn filled(bundle: &Bundle, row: &str) -> Vec<String> {
    let path = |name: &str| bundle.path().join(name).display().to_string();
    row.split_whitespace()
        .map(|word| match word {
            "BUNDLE" => bundle.path().display().to_string(),
            "ID" => bundle.id().to_owned(),
            word => {
                word.split_once('@').map_or(word.to_owned(), |(head, name)| head.to_owned() + &path(name))
            }
        })
        .collect()
}

/// The call succeeds, and says nothing on standard error. Files of its own take its output: a container outlives it, and
/// would hold a pipe open. Returns its standard output.
#[track_caller]
fn accepted(bundle: &Bundle, row: &str) -> String {
    let file = || tempfile::NamedTempFile::new_in(bundle.path()).expect("a file");
    let (out, err) = (file(), file());
    let words = filled(bundle, row);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let stdio = |file: &tempfile::NamedTempFile| file.reopen().expect("our file");
    let creates = words.contains(&"create");
    let stdout = if creates {
        std::fs::File::create(bundle.output(bundle.id())).expect("a file")
    } else {
        stdio(&out)
    };
    let status = bundle.coracle(&words).stdout(stdout).stderr(stdio(&err)).status();
    let said = |file: &tempfile::NamedTempFile| std::fs::read_to_string(file.path()).expect("its output");
    assert_eq!((status.expect("it starts").code(), said(&err)), (Some(0), String::new()), "{row}");
    said(&out)
}
