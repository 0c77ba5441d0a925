//! The doctor's verdicts on the machines learners have, and on this one.

use std::path::PathBuf;
use std::process::Command;

use lesson::doctor::{
    Busybox, Cgroup, Facts, Ids, Layout, Line, Namespaces, Packages, Refusal, Status, Step, Style, Tools,
    render, summarize, verdict,
};
use nix::errno::Errno;

/// An ordinary user of a current Debian where all is well.
fn debian() -> Facts {
    let path = |name: &str| Some(PathBuf::from(format!("/usr/bin/{name}")));
    Facts {
        release: "6.12.57-amd64".to_owned(),
        uid: 1000,
        user: "ada".to_owned(),
        packages: Packages::Apt,
        repository: PathBuf::from("/home/ada/coracle"),
        namespaces: Namespaces {
            privileged: None,
            user: Ok(()),
            max_user_namespaces: Some(63_000),
            unprivileged_userns_clone: Some(1),
            apparmor_restrict: None,
            apparmor_profile: None,
            seccomp: false,
            chroot: false,
            proc_masked: false,
        },
        cgroup: Cgroup { layout: Layout::V2, own: true, user_manager: true, vm: None },
        ids: Ids { subuids: 65_536, subgids: 65_536, helpers: true },
        busybox: Busybox::AtHand(PathBuf::from("/usr/bin/busybox")),
        tools: Tools {
            linker: Some("/usr/bin/cc".to_owned()),
            static_libc: Some("/usr/lib/x86_64-linux-gnu/libc.a".to_owned()),
            git: Some("2.47.3".to_owned()),
            optional: ["strace", "runc"].map(|name| (name, path(name))).to_vec(),
        },
        lessons: vec![
            (0, vec![]),
            (1, vec!["userns".to_owned()]),
            (2, vec!["userns".to_owned()]),
            (5, vec!["cgroup".to_owned()]),
        ],
    }
}

fn refused(step: Step, errno: Errno) -> Facts {
    let mut facts = debian();
    facts.namespaces.user = Err(Refusal { step, errno });
    facts
}

fn line(facts: &Facts, name: &str) -> Line {
    let lines = verdict(facts);
    lines.into_iter().find(|line| line.name == name).unwrap_or_else(|| panic!("no line {name}"))
}

#[test]
fn a_debian_with_all_it_needs_is_summed_up_in_one_line() {
    let facts = debian();
    let lines = verdict(&facts);
    assert!(lines.iter().all(|line| line.status == Status::Ok), "{lines:#?}");
    let summary = summarize(&facts, &lines, Style::Plain);
    assert_eq!(summary.lines().count(), 1, "{summary}");
    assert!(summary.contains("ready") && summary.contains("6.12.57"), "{summary}");
}

#[test]
fn ubuntus_apparmor_rule_is_named_with_a_cure_for_now_and_one_for_good() {
    // Ubuntu 24.04 lets the user namespace be made and takes its capabilities away.
    let mut facts = refused(Step::Hostname, Errno::EPERM);
    facts.namespaces.apparmor_restrict = Some(1);
    let line = line(&facts, "containers");
    assert!(!facts.containers_run());
    assert_eq!(line.status, Status::Missing);
    let cause = "AppArmor gives unprivileged user namespaces no capabilities";
    assert!(line.found.contains(cause), "{line:?}");
    assert!(line.found.contains("kernel.apparmor_restrict_unprivileged_userns"), "{line:?}");
    assert_eq!(line.cures[0], "sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0");
    assert!(line.cures[1].contains("\"/home/ada/coracle/target/**\"") && line.cures[1].contains("userns,"));
    assert!(line.follows.as_deref().is_some_and(|f| f.contains("lessons 01, 02")), "{line:?}");
}

#[test]
fn ubuntus_rule_does_not_explain_what_works_nor_what_a_filter_refuses() {
    let mut facts = debian();
    facts.namespaces.apparmor_restrict = Some(1);
    assert_eq!(line(&facts, "containers").status, Status::Ok);

    let mut facts = refused(Step::UserNamespace, Errno::EPERM);
    facts.uid = 0;
    facts.namespaces.apparmor_restrict = Some(1);
    facts.namespaces.seccomp = true;
    assert!(line(&facts, "containers").found.contains("seccomp"));
}

#[test]
fn root_in_a_docker_container_is_told_of_seccomp_and_the_options() {
    let mut facts = refused(Step::UserNamespace, Errno::EPERM);
    facts.uid = 0;
    facts.user = "root".to_owned();
    facts.namespaces.seccomp = true;
    facts.namespaces.proc_masked = true;
    facts.namespaces.apparmor_profile = Some("docker-default (enforce)".to_owned());
    facts.cgroup = Cgroup { layout: Layout::V2, own: false, user_manager: false, vm: None };
    let containers = line(&facts, "containers");
    assert!(
        containers.found.contains("seccomp filter") && containers.found.contains("EPERM"),
        "{containers:?}"
    );
    assert!(containers.cures[0].contains("--security-opt seccomp=unconfined"));
    let cgroups = line(&facts, "cgroups");
    assert_eq!(cgroups.status, Status::Limited);
    assert!(cgroups.found.contains("no group of root's own"), "{cgroups:?}");
    assert!(cgroups.follows.as_deref().is_some_and(|f| f.contains("lesson 05")), "{cgroups:?}");
}

#[test]
fn a_masked_proc_is_told_apart_from_a_filter() {
    let mut facts = refused(Step::Proc, Errno::EPERM);
    facts.namespaces.proc_masked = true;
    facts.namespaces.seccomp = true;
    let line = line(&facts, "containers");
    assert!(line.found.contains("/proc are masked"), "{line:?}");
    assert!(line.cures[0].contains("systempaths=unconfined"));
}

#[test]
fn the_engines_apparmor_profile_is_named_where_it_denies_the_mounts() {
    let mut facts = refused(Step::Propagation, Errno::EACCES);
    facts.namespaces.apparmor_profile = Some("docker-default (enforce)".to_owned());
    assert!(line(&facts, "containers").found.contains("docker-default"));
}

#[test]
fn each_switch_of_the_kernel_is_named_with_the_command_that_turns_it() {
    let mut facts = refused(Step::UserNamespace, Errno::EPERM);
    facts.namespaces.unprivileged_userns_clone = Some(0);
    let switch = line(&facts, "containers");
    assert!(switch.found.contains("kernel.unprivileged_userns_clone is 0"), "{switch:?}");
    assert_eq!(switch.cures, ["sudo sysctl -w kernel.unprivileged_userns_clone=1"]);

    let mut facts = refused(Step::UserNamespace, Errno::ENOSPC);
    facts.namespaces.max_user_namespaces = Some(0);
    let limit = line(&facts, "containers");
    assert!(limit.found.contains("user.max_user_namespaces is 0"), "{limit:?}");
    assert_eq!(limit.cures, ["sudo sysctl -w user.max_user_namespaces=15000"]);

    let mut facts = refused(Step::UserNamespace, Errno::EPERM);
    facts.namespaces.chroot = true;
    assert!(line(&facts, "containers").found.contains("this process is in a chroot"));

    let facts = refused(Step::UserNamespace, Errno::EPERM);
    assert!(line(&facts, "containers").found.contains("no switch explains it"));
}

#[test]
fn a_root_that_may_not_make_user_namespaces_still_runs_containers() {
    let mut facts = refused(Step::UserNamespace, Errno::ENOSPC);
    facts.uid = 0;
    facts.namespaces.privileged = Some(Ok(()));
    facts.namespaces.max_user_namespaces = Some(0);
    assert!(facts.containers_run());
    assert_eq!(line(&facts, "containers").status, Status::Ok);
    let user = line(&facts, "user namespaces");
    assert_eq!(
        (user.status, user.cures),
        (Status::Limited, vec!["sysctl -w user.max_user_namespaces=15000".into()])
    );
}

#[test]
fn a_hybrid_machine_is_limited_and_says_what_a_virtual_machine_would_add() {
    let mut facts = debian();
    facts.uid = 0;
    facts.namespaces.privileged = Some(Ok(()));
    facts.cgroup = Cgroup { layout: Layout::Hybrid, own: true, user_manager: false, vm: None };
    let without = line(&facts, "cgroups");
    assert_eq!(without.status, Status::Limited);
    assert!(without.cures[0].starts_with("export CORACLE_VM="), "{without:?}");
    facts.cgroup.vm = Some("in-vm --".to_owned());
    assert!(line(&facts, "cgroups").cures.is_empty());
}

#[test]
fn what_no_lesson_needs_does_not_spoil_the_summary() {
    let mut facts = debian();
    facts.ids = Ids { subuids: 0, subgids: 0, helpers: false };
    facts.tools.optional[1].1 = None;
    let ids = line(&facts, "id ranges");
    assert_eq!((ids.status, ids.matters), (Status::Missing, false));
    assert!(ids.cures[0].starts_with("sudo usermod --add-subuids"));
    assert_eq!(summarize(&facts, &verdict(&facts), Style::Plain).lines().count(), 1);
}

#[test]
fn a_cure_fits_the_distribution() {
    let mut facts = debian();
    facts.packages = Packages::Dnf;
    facts.tools.static_libc = None;
    let libc = line(&facts, "static libc");
    assert_eq!(libc.cures, ["sudo dnf install glibc-static"]);
    assert!(libc.matters);
    facts.packages = Packages::Apt;
    facts.uid = 0;
    assert_eq!(line(&facts, "static libc").cures, ["apt-get install libc6-dev"]);
}

#[test]
fn an_old_kernel_is_limited() {
    let mut facts = debian();
    facts.release = "5.4.0-200-generic".to_owned();
    assert_eq!(line(&facts, "kernel").status, Status::Limited);
    facts.release = "5.10.0".to_owned();
    assert_eq!(line(&facts, "kernel").status, Status::Ok);
}

#[test]
fn a_plain_report_has_no_escapes_and_every_trouble_has_a_cure() {
    let mut facts = refused(Step::Mount, Errno::EACCES);
    facts.busybox = Busybox::None;
    facts.cgroup = Cgroup { layout: Layout::V1, own: false, user_manager: false, vm: None };
    facts.ids = Ids { subuids: 0, subgids: 0, helpers: false };
    facts.tools = Tools {
        optional: ["strace", "unshare", "tmux"].map(|name| (name, None)).to_vec(),
        ..Tools::default()
    };
    let lines = verdict(&facts);
    for line in lines.iter().filter(|line| line.status != Status::Ok) {
        assert!(!line.cures.is_empty() && line.follows.is_some(), "{line:?}");
    }
    assert!(!render(&lines, Style::Plain).contains('\x1b'));
    assert!(render(&lines, Style::Coloured).contains("\x1b[31mmissing"));
}

#[test]
fn on_this_machine_the_exit_status_agrees_with_the_report() {
    let output = Command::new(env!("CARGO_BIN_EXE_lesson")).arg("doctor").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let containers =
        text.lines().find(|line| line.get(8..).is_some_and(|rest| rest.starts_with("containers")));
    let runs = containers.is_some_and(|line| line.starts_with("ok") || line.starts_with("limited"));
    assert_eq!(output.status.code(), Some(if runs { 0 } else { 1 }), "{text}");
    assert!(!text.contains('\x1b'), "a pipe gets no colours");
}
