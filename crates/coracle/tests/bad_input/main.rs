//! Bad input: each row is one mistake. It must be named (where it is, what it is, what to do), the exit code must be 1,
//! and nothing may be left of the container.

#[path = "../common/mod.rs"]
mod common;
mod linux;
mod process;
mod sandbox;
mod text;
mod world;

use std::os::unix::fs::symlink;
use std::process::Command;

use common::{Bundle, Leaks, fresh_id};
use linux::*;
use process::*;
use sandbox::*;
use serde_json::{Value, json};
use text::*;
use world::*;

testkit::suite! { "bad_input",
    runtime = env!("CARGO_BIN_EXE_coracle"),
    tests = [
        a_config_that_cannot_be_read_is_told_from_a_missing_one(userns),
        what_is_no_json_is_told_by_line_and_column(userns),
        each_required_property_is_missed_by_name(userns),
        each_wrong_type_is_named_by_its_pointer(userns),
        a_property_that_is_there_twice_is_no_choice_of_ours(userns),
        each_wrong_version_is_refused(userns),
        each_wrong_root_filesystem_is_told(userns),
        each_wrong_process_is_named_by_its_pointer(userns),
        each_wrong_namespace_is_named_by_its_pointer(userns),
        each_wrong_mapping_is_named_by_its_pointer(userns),
        each_wrong_device_path_and_group_is_named_by_its_pointer(userns),
        what_this_machine_cannot_do_is_refused_by_name(userns),
        each_wrong_mount_of_a_sandbox_is_told(userns),
        each_wrong_id_is_told_by_the_rule_it_breaks(userns),
        what_only_the_container_can_tell_leaves_nothing(userns),
        a_limit_that_this_machine_does_not_have_leaves_nothing(root),
        a_hidden_hierarchy_is_missed_by_its_controllers_name(root, cgroup),
        without_privilege_the_cure_is_root_or_a_user_namespace(root),
        a_state_directory_that_cannot_be_written_is_named(root),
        an_id_that_is_taken_stays_the_others(userns),
        an_unknown_signal_is_sent_to_nobody(userns),
        exec_into_what_does_not_run_is_255_and_says_why(userns),
        exec_into_a_paused_container_says_so(root, cgroup),
        a_closed_descriptor_is_an_open_one_inside(userns),
        a_pipe_that_nobody_reads_is_an_error(userns),
    ]
}

/// A mistake: what it is, what it changes in a good bundle, and the words that the error must have.
type Row<'a> = (&'a str, fn(&Bundle, &mut Value), &'a [&'a str]);

fn check(rows: &[Row<'_>]) {
    for (row, change, words) in rows {
        let (bundle, mut config) = (Bundle::new(), Bundle::config());
        change(&bundle, &mut config);
        refused(row, bundle.write(&config), &fresh_id(), words);
    }
}

/// Runs `bundle` as `id`, which must fail with each of `words` and leave nothing.
#[track_caller]
fn refused(row: &str, bundle: &Bundle, id: &str, words: &[&str]) {
    refused_command(row, bundle, bundle.command(&[], id), id, words);
}

#[track_caller]
fn refused_command(row: &str, bundle: &Bundle, mut command: Command, id: &str, words: &[&str]) {
    // An id that is wrong cannot mark anything.
    let mark = fresh_id();
    let leaks = Leaks::watch(&mut command, if id.starts_with("test-") { id } else { &mark });
    let output = command.output().expect("the runtime starts");
    let stderr = common::text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{row}: {stderr}");
    assert_eq!(common::text(&output.stdout), "", "{row}: nothing ran");
    for word in ["error"].iter().chain(words) {
        assert!(stderr.contains(word), "{row}: no {word:?} in {stderr}");
    }
    assert_eq!(stderr.lines().count(), 1, "{row}: one line: {stderr}");
    leaks.assert_none(bundle, row);
}

fn each_wrong_root_filesystem_is_told() {
    check(&[
        ("empty", |_, c| c["root"]["path"] = json!(""), &["/root/path: is missing or empty"]),
        (
            "missing",
            |_, c| c["root"]["path"] = json!("nowhere"),
            &["/nowhere: no such file or directory", "/root/path"],
        ),
        (
            "a file",
            |_, c| c["root"]["path"] = json!("config.json"),
            &["config.json: is not a directory", "/root/path"],
        ),
        (
            "missing, absolute",
            |_, c| c["root"]["path"] = json!("/nowhere/at/all"),
            &["/nowhere/at/all: no such file"],
        ),
        (
            "a symlink out of the bundle",
            |b, c| {
                symlink("/tmp", b.path().join("out")).expect("a symlink");
                c["root"]["path"] = json!("out");
            },
            &["/out: leads out of the bundle, to /tmp", "absolute path in /root/path"],
        ),
        (
            "a symlink to the folder beside",
            |b, c| {
                symlink("..", b.path().join("up")).expect("a symlink");
                c["root"]["path"] = json!("up");
            },
            &["leads out of the bundle"],
        ),
        (
            "a symlink to nowhere",
            |b, c| {
                symlink("nowhere", b.path().join("broken")).expect("a symlink");
                c["root"]["path"] = json!("broken");
            },
            &["/broken: no such file or directory"],
        ),
        (
            "propagation",
            |_, c| c["linux"]["rootfsPropagation"] = json!("everywhere"),
            &["/linux/rootfsPropagation", "with an r before it"],
        ),
    ]);
    let (bundle, gone) = (Bundle::new(), fresh_id());
    let mut command = Command::new(testkit::runtime());
    command.arg("--root").arg(bundle.state()).args(["run", "--bundle", "/nowhere/at/all", &gone]);
    refused_command(
        "no bundle",
        &bundle,
        command,
        &gone,
        &["/nowhere/at/all: no such file or directory", "--bundle"],
    );
}

fn each_wrong_id_is_told_by_the_rule_it_breaks() {
    let long = "x".repeat(1025);
    let rows: [(&str, &[&str]); 9] = [
        ("", &["must not be empty"]),
        (".", &["folder"]),
        ("..", &["folder"]),
        ("../up", &["letters, digits"]),
        ("a/b", &["letters, digits"]),
        ("a b", &["letters, digits"]),
        ("a\nb", &["letters, digits"]),
        ("b\u{f6}t", &["letters, digits"]),
        (&long, &["255 bytes"]),
    ];
    for (id, words) in rows {
        let bundle = Bundle::new();
        bundle.write(&Bundle::config());
        refused(&format!("{id:?}"), &bundle, id, words);
        refused(&format!("{id:?}"), &bundle, id, &["container id"]);
    }
}
