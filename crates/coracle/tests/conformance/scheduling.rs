//! config.md, "Linux Process": the OOM score, the scheduler, I/O priority, CPU affinity. Row O-17.

use nix::libc;
use serde_json::{Value, json};
use testkit::Test;

use super::common::{Bundle, text};
use super::running::{self, each_is_refused, exec, exec_file, waiting};

pub(crate) const TESTS: &[Test] = testkit::tests! {
    o17_oom_score_adj_is_the_one_of_the_config(userns),
    o17_oom_score_adj_is_left_alone_where_it_is_not_set(userns),
    o17_a_nice_value_is_the_programs(userns),
    o17_a_flag_of_the_scheduler_is_set(userns),
    o17_real_time_is_the_programs(real_time),
    o17_a_deadline_is_the_programs(real_time),
    o17_what_the_scheduler_does_not_take_is_refused(userns),
    o17_a_policy_that_the_kernel_refuses_leaves_nothing(userns),
    o17_exec_is_scheduled_as_the_container_or_as_its_file_says(userns),
    o17_io_priority_is_the_programs(userns),
    o17_io_priority_of_exec_is_the_containers_or_its_files(userns),
    o17_an_io_priority_that_is_none_is_refused(userns),
    o17_the_callers_processors_are_not_the_containers(userns, two_processors),
    o17_exec_begins_and_goes_on_where_it_is_asked_to(userns, two_processors),
    o17_exec_cpu_affinity_of_a_file_counts(userns, two_processors),
    o17_only_the_beginning_of_exec_is_asked_for(two_processors, root, strace),
    o17_processors_that_are_no_list_are_refused(userns),
    o17_empty_processors_ask_for_nothing(userns),
};

/// The probe's report of a run with this process object.
#[track_caller]
fn reported(change: impl FnOnce(&mut Value)) -> probe::Report {
    running::reported(|config| change(&mut config["process"]))
}

/// "If oomScoreAdj is set, the runtime MUST set oom_score_adj to the given value."
fn o17_oom_score_adj_is_the_one_of_the_config() {
    assert_eq!(reported(|process| process["oomScoreAdj"] = json!(321)).oom_score_adj, Some(321));
}

/// "If oomScoreAdj is not set, the runtime MUST NOT change the value of oom_score_adj."
fn o17_oom_score_adj_is_left_alone_where_it_is_not_set() {
    let ours = std::fs::read_to_string("/proc/self/oom_score_adj").expect("ours");
    assert_eq!(reported(|_| {}).oom_score_adj.map(|value| value.to_string()), Some(ours.trim().to_owned()));
}

#[track_caller]
fn scheduled(asked: Value) -> probe::Scheduling {
    reported(|process| process["scheduler"] = asked).kernel.scheduling.expect("its scheduling")
}

/// "nice: the nice value for the process, affecting its priority."
fn o17_a_nice_value_is_the_programs() {
    for (policy, number) in [("SCHED_OTHER", libc::SCHED_OTHER), ("SCHED_BATCH", libc::SCHED_BATCH)] {
        let found = scheduled(json!({ "policy": policy, "nice": 7 }));
        assert_eq!((found.policy, found.nice), (number.unsigned_abs(), 7), "{policy}");
    }
    assert_eq!(scheduled(json!({ "policy": "SCHED_IDLE" })).policy, libc::SCHED_IDLE.unsigned_abs());
}

/// "flags: an array of strings representing scheduling flags."
fn o17_a_flag_of_the_scheduler_is_set() {
    let found = scheduled(json!({ "policy": "SCHED_OTHER", "flags": ["SCHED_FLAG_RESET_ON_FORK"] }));
    assert_eq!(found.flags, u64::from(libc::SCHED_FLAG_RESET_ON_FORK.unsigned_abs()));
}

/// "priority: the static priority of the process, used by real-time policies."
fn o17_real_time_is_the_programs() {
    let bundle = Bundle::new();
    let mut config = Bundle::config();
    config["process"]["scheduler"] = json!({ "policy": "SCHED_FIFO", "priority": 5 });
    // Version 1 of control groups may have no time for it; then the runtime says so.
    config["linux"]["resources"] = json!({ "cpu": { "realtimeRuntime": 1000, "realtimePeriod": 1_000_000 } });
    let output = bundle.write(&config).run();
    if output.status.success() {
        let report: probe::Report = serde_json::from_slice(&output.stdout).expect("a report");
        let found = report.kernel.scheduling.expect("its scheduling");
        assert_eq!((found.policy, found.priority), (libc::SCHED_FIFO.unsigned_abs(), 5));
    } else {
        let said = text(&output.stderr);
        assert!(said.contains("realtime") || said.contains("rt_runtime"), "{said}");
    }
}

/// "runtime, deadline, period": used by the deadline scheduler.
fn o17_a_deadline_is_the_programs() {
    let asked = json!({
        "policy": "SCHED_DEADLINE", "runtime": 42_000, "deadline": 1_000_000, "period": 2_000_000,
        "flags": ["SCHED_FLAG_DL_OVERRUN", "SCHED_FLAG_RECLAIM"],
    });
    let found = scheduled(asked);
    let times = (found.runtime, found.deadline, found.period);
    assert_eq!((found.policy, times), (libc::SCHED_DEADLINE.unsigned_abs(), (42_000, 1_000_000, 2_000_000)));
    let flags = libc::SCHED_FLAG_DL_OVERRUN | libc::SCHED_FLAG_RECLAIM;
    assert_eq!(found.flags, u64::from(flags.unsigned_abs()));
}

/// Values that cannot be mapped to the kernel's interface are errors, and found before anything is made.
fn o17_what_the_scheduler_does_not_take_is_refused() {
    each_is_refused(&[
        (|c| c["process"]["scheduler"] = json!({ "policy": "" }), "scheduler policy is required"),
        (|c| c["process"]["scheduler"] = json!({ "policy": "SCHED_LUCK" }), "/process/scheduler/policy"),
        (
            |c| c["process"]["scheduler"] = json!({ "policy": "SCHED_OTHER", "nice": 20 }),
            "invalid scheduler.nice",
        ),
        (
            |c| c["process"]["scheduler"] = json!({ "policy": "SCHED_OTHER", "priority": 1 }),
            "can only be specified for S",
        ),
        (
            |c| c["process"]["scheduler"] = json!({ "policy": "SCHED_FIFO", "priority": 100 }),
            "/process/scheduler/priority: 100",
        ),
        (
            |c| c["process"]["scheduler"] = json!({ "policy": "SCHED_BATCH", "runtime": 1 }),
            "runtime/deadline/period can only be specified for S",
        ),
        (
            |c| c["process"]["scheduler"] = json!({ "policy": "SCHED_OTHER", "flags": ["SCHED_FLAG_LUCK"] }),
            "/process/scheduler/flags/0",
        ),
    ]);
}

/// The kernel wants runtime <= deadline <= period. Only it can tell.
fn o17_a_policy_that_the_kernel_refuses_leaves_nothing() {
    let refuse: fn(&mut Value) = |c| {
        c["process"]["scheduler"] = json!({ "policy": "SCHED_DEADLINE", "runtime": 9_000_000, "deadline": 1_000_000, "period": 1_000_000 });
    };
    each_is_refused(&[(refuse, "sched_setattr")]);
}

/// As runc has it: what the file does not say is as in the config.
fn o17_exec_is_scheduled_as_the_container_or_as_its_file_says() {
    let bundle = waiting(|c| c["process"]["scheduler"] = json!({ "policy": "SCHED_BATCH", "nice": 3 }));
    let nice = |report: probe::Report| report.kernel.scheduling.expect("its scheduling").nice;
    assert_eq!(nice(exec(&bundle, &[])), 3);
    assert_eq!(nice(exec_file(&bundle, |_| {})), 3);
    let own = json!({ "policy": "SCHED_OTHER", "nice": 9 });
    assert_eq!(nice(exec_file(&bundle, |process| process["scheduler"] = own)), 9);
}

/// "class", "priority": ioprio_set(2).
fn o17_io_priority_is_the_programs() {
    for (class, number, level) in [("IOPRIO_CLASS_BE", 2, 4), ("IOPRIO_CLASS_IDLE", 3, 0)] {
        let asked = json!({ "class": class, "priority": level });
        let found = reported(|process| process["ioPriority"] = asked).kernel.io_priority;
        assert_eq!(found, Some(probe::IoPriority { class: number, level }), "{class}");
    }
}

fn o17_io_priority_of_exec_is_the_containers_or_its_files() {
    let asked = json!({ "class": "IOPRIO_CLASS_BE", "priority": 6 });
    let bundle = waiting(|c| c["process"]["ioPriority"] = asked);
    let level = |report: probe::Report| report.kernel.io_priority.map(|found| (found.class, found.level));
    assert_eq!(level(exec(&bundle, &[])), Some((2, 6)));
    // runc's own tests have no priority in theirs, nor a user.
    let idle = exec_file(&bundle, |process| {
        process["ioPriority"] = json!({ "class": "IOPRIO_CLASS_IDLE" });
        process.as_object_mut().map(|process| process.remove("user"));
    });
    assert_eq!(level(idle), Some((3, 0)));
}

fn o17_an_io_priority_that_is_none_is_refused() {
    each_is_refused(&[
        (
            |c| c["process"]["ioPriority"] = json!({ "class": "LUCK", "priority": 1 }),
            "/process/ioPriority/class",
        ),
        (
            |c| c["process"]["ioPriority"] = json!({ "class": "IOPRIO_CLASS_BE", "priority": 8 }),
            "/process/ioPriority/priority: 8",
        ),
    ]);
}

/// `taskset -c 0`, before the runtime.
fn on_the_first(bundle: &Bundle, args: &[&str]) -> std::process::Output {
    let mut command = std::process::Command::new("taskset");
    command.args(["-c", "0"]).arg(testkit::runtime()).arg("--root").arg(bundle.state()).args(args);
    command.stdin(std::process::Stdio::null()).output().expect("taskset starts")
}

fn processors(output: &std::process::Output) -> Vec<usize> {
    let said = text(&output.stdout);
    let report: probe::Report = serde_json::from_str(said.lines().next().unwrap_or_default())
        .unwrap_or_else(|error| panic!("no report: {error}: {said:?} {}", text(&output.stderr)));
    report.kernel.processors
}

/// As runc has it since version 1.4: a container that was started by somebody who is bound to a processor is not bound.
fn o17_the_callers_processors_are_not_the_containers() {
    let bundle = Bundle::new();
    bundle.write(&Bundle::config());
    let path = bundle.path().display().to_string();
    let all = processors(&bundle.run());
    assert!(all.len() > 1, "{all:?}");
    assert_eq!(processors(&on_the_first(&bundle, &["run", "--bundle", &path, bundle.id()])), all);
    let bundle = waiting(|_| {});
    assert_eq!(processors(&on_the_first(&bundle, &["exec", bundle.id(), "/probe"])), all);
}

/// "initial: the list of CPUs a runtime parent process is to be run on initially, before the transition to container's
/// cgroup"; "final: the list of CPUs the process will be run on after".
fn o17_exec_begins_and_goes_on_where_it_is_asked_to() {
    let bundle = waiting(|c| c["process"]["execCPUAffinity"] = json!({ "initial": "0", "final": "1" }));
    assert_eq!(exec(&bundle, &[]).kernel.processors, [1]);
    // It is of exec alone.
    let init = std::fs::read_to_string(bundle.output(bundle.id())).expect("its report");
    let init: probe::Report =
        serde_json::from_str(init.lines().next().unwrap_or_default()).expect("a report");
    assert!(init.kernel.processors.len() > 1, "{:?}", init.kernel.processors);
}

fn o17_exec_cpu_affinity_of_a_file_counts() {
    let bundle = waiting(|c| c["process"]["execCPUAffinity"] = json!({ "final": "1" }));
    let report = exec_file(&bundle, |process| process["execCPUAffinity"] = json!({ "final": "0-0" }));
    assert_eq!(report.kernel.processors, [0]);
    assert_eq!(exec_file(&bundle, |_| {}).kernel.processors, [1]);
}

/// "If omitted or empty, runtime SHOULD NOT change process' CPU affinity after the process is moved to container's cgroup."
fn o17_only_the_beginning_of_exec_is_asked_for() {
    let bundle = waiting(|c| c["process"]["execCPUAffinity"] = json!({ "initial": "1", "final": "" }));
    let file = bundle.path().join("trace");
    let mut strace = std::process::Command::new("strace");
    strace.args(["-f", "-e", "trace=sched_setaffinity", "-o"]).arg(&file).arg(testkit::runtime());
    let done = strace.arg("--root").arg(bundle.state()).args(["exec", bundle.id(), "/probe"]).output();
    assert!(done.expect("strace starts").status.success());
    let trace = std::fs::read_to_string(&file).expect("the trace");
    let calls: Vec<_> = trace.lines().filter(|line| line.contains("sched_setaffinity(")).collect();
    assert_eq!(calls.len(), 1, "{trace}");
    assert!(calls[0].contains("[1]"), "{trace}");
}

fn o17_processors_that_are_no_list_are_refused() {
    each_is_refused(&[
        (
            |c| c["process"]["execCPUAffinity"] = json!({ "initial": "0-" }),
            "/process/execCPUAffinity/initial",
        ),
        (|c| c["process"]["execCPUAffinity"] = json!({ "final": "3-1" }), "/process/execCPUAffinity/final"),
        (|c| c["process"]["execCPUAffinity"] = json!({ "final": "all" }), "/process/execCPUAffinity/final"),
        (|c| c["process"]["execCPUAffinity"] = json!({ "final": "99999" }), "/process/execCPUAffinity/final"),
    ]);
}

fn o17_empty_processors_ask_for_nothing() {
    reported(|process| process["execCPUAffinity"] = json!({ "initial": "", "final": "" }));
    let bundle = waiting(|c| c["process"]["execCPUAffinity"] = json!({}));
    exec(&bundle, &[]);
}
