//! `ns-runtime` against the documents that describe it: document 002 (exec) and 003 (the commands). A test's name begins with the
//! row of the list of what they ask for.

mod boat;
mod invariants;
mod lifecycle;
mod table;
mod words;

use invariants::*;
use lifecycle::*;
use table::*;
use words::*;

testkit::suite! { "ns-runtime",
    runtime = env!("CARGO_BIN_EXE_ns-runtime"),
    tests = [
        s11_exec_is_a_shell_and_with_a_line_a_login_shell(userns, busybox, nsenter),
        s12_only_a_running_container_is_entered(userns, busybox, nsenter),
        s12_a_dead_init_makes_the_state_stopped_and_exec_says_so(userns, busybox, nsenter),
        s12_another_process_with_the_number_of_init_is_not_entered_nor_killed(root, busybox, nsenter),
        s12_without_proc_exec_fails_and_the_container_runs_on(root, busybox),
        s12_with_the_proc_of_other_processes_nothing_is_concluded(root, busybox),
        s12_without_nsenter_one_way_fails_and_the_other_needs_none(userns, busybox),
        s12_without_privilege_exec_fails_and_the_container_runs_on(root, busybox, nsenter),
        s12_twenty_sessions_that_end_in_any_order_change_nothing(userns, busybox, nsenter),
        s12_a_session_ends_with_pid_1_and_the_state_is_stopped(userns, busybox, nsenter),
        s12_init_killed_while_exec_begins(userns, busybox, nsenter),
        s13_the_classes_of_failure_are_told_apart(userns, busybox, nsenter),
        s14_exec_and_nsenter_see_the_same_namespaces(root, busybox, nsenter),
        s14_exec_is_more_than_nsenter(root, busybox, nsenter, cgroup),
        s15_create_starts_no_process(userns, busybox),
        s15_create_keeps_the_config(userns, busybox),
        s15_each_error_of_create_has_its_words_and_leaves_nothing(busybox),
        s15_an_id_is_taken_once(busybox),
        s15_a_state_directory_that_is_not_writable_is_named(root, busybox),
        s16_start_is_detached_by_default(userns, busybox),
        s16_attached_the_exit_status_is_the_programs_and_is_kept(userns, busybox),
        s16_what_stops_the_child_reaches_the_caller_and_it_stays_created(userns, busybox),
        s16_a_terminal_is_for_those_who_look_on(userns, busybox),
        s17_run_is_attached_by_default(userns, busybox),
        s17_run_rm_removes_it_at_its_end(userns, busybox),
        s17_run_detached_returns_while_it_runs(userns, busybox),
        s17_a_failed_start_leaves_nothing(userns, busybox),
        s18_one_that_ignores_sigterm_is_killed_after_five_seconds(userns, busybox),
        s18_one_that_obeys_is_gone_at_once(userns, busybox),
        s18_what_does_not_exist_is_deleted(userns, busybox),
        s19_state_is_one_word(userns, busybox),
        s20_the_log_has_time_level_role_and_numbered_steps(userns, busybox),
        s20_the_log_level_decides_how_much_is_told(userns, busybox),
        s20_quiet_says_what_was_asked_for_and_no_more(userns, busybox),
        s20_an_error_has_three_layers(userns, busybox),
        s21_every_command_in_every_state_does_what_the_table_says(userns, busybox),
        s21_a_running_container_stops_when_its_pid_1_ends(userns, busybox),
        the_older_name_is_the_same_program(userns, busybox),
        s22_a_shell_as_pid_1_ends_the_container_when_it_is_left(userns, busybox),
        s22_a_long_running_pid_1_outlives_every_shell(userns, busybox),
    ]
}
