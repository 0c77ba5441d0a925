//! The user's documents, executed as they are written: "Executing additional processes inside an existing container"
//! (`join.rs`) and "Run a container with runc" (`walk.rs`), with `coracle` in place of `runc`. A test's name begins with
//! the row of the list of what the documents ask for.

#[path = "../common/mod.rs"]
mod common;
mod errors;
mod join;
mod tool;
mod walk;

use errors::*;
use join::*;
use walk::*;

testkit::suite! { "documents",
    runtime = env!("CARGO_BIN_EXE_coracle"),
    tests = [
        s01_a_namespace_of_each_kind_is_joined(userns),
        s01_all_namespaces_at_once_are_joined(userns),
        s01_a_path_of_another_kind_is_named(userns),
        s01_a_new_pid_namespace_in_a_joined_user_namespace(userns),
        s02_a_process_lands_in_the_other_containers_control_group(root, cgroup),
        s02_the_end_of_the_second_takes_nothing_from_the_first(root, cgroup),
        s03_root_path_is_ignored_without_a_new_mount_namespace(userns),
        s04_the_documents_own_example_runs(root, busybox),
        s04_the_documents_own_example_runs_at_a_terminal(root, busybox),
        s05_oci_tool_makes_the_documents_config(root, busybox),
        s06_version_is_lines_of_name_and_value,
        s06_spec_writes_what_the_document_verifies,
        s06_run_and_explore_inside(root, busybox),
        s06_create_start_exec_state_kill_delete(root, busybox),
        s06_a_terminal_goes_to_the_console_socket(root, busybox),
        s06_pause_and_resume(root, busybox, cgroup),
        s06_the_state_is_below_run_coracle(root, busybox),
        s07_the_same_bundle_under_coracle(root, busybox),
        s07_the_same_bundle_under_runc(root, busybox, runc),
        s07_the_same_bundle_under_crun(root, busybox, crun),
        s08_only_a_kept_container_is_listed_as_stopped(root, busybox),
        s09_error_1_the_id_exists(root, busybox),
        s09_error_2_no_rootfs_or_no_bundle(root, busybox),
        s09_error_3_no_such_program(root, busybox),
        s09_error_4_no_privilege(root, busybox),
        s09_error_5_no_config(root, busybox),
        s09_error_6_it_exits_at_once(root, busybox),
        s11_exec_is_a_shell_for_a_person_or_for_one_line(root, busybox),
    ]
}
