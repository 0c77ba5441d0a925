//! The report, judged from outside: what the probe says against what its parent knows.

mod common;

use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::process::{Command, Stdio};

use common::{
    FIRST, PROBE, UNMAPPED, USER, first, private_root, probe, report as report_of, unmapped, unshare, user,
    works,
};
use probe::{Kind, Report};

fn lines(path: &str) -> Vec<String> {
    std::fs::read_to_string(path).unwrap().lines().map(String::from).collect()
}

tests! {
    it_says_who_and_where_it_is,
    it_sees_the_namespaces_mounts_and_cgroups_of_its_parent,
    it_tells_devices_by_their_numbers,
    it_sees_the_umask_and_what_the_shell_set_before_it,
    it_lists_the_descriptors_it_was_given_and_none_of_its_own,
    a_closed_stdin_is_told_as_closed,
    a_closed_stdout_costs_nothing_but_the_report,
    ignored_and_blocked_signals_are_those_that_execve_handed_down,
    blocked_signals_are_told needs(env_that_blocks),
    as_the_first_process_of_namespaces_of_its_own needs(first),
    with_ids_that_nothing_maps needs(unmapped),
    no_new_privs_and_a_dropped_capability_are_told needs(user, setpriv),
    in_a_root_with_nothing_but_itself needs(first),
    a_terminal_has_a_size_and_a_pipe_has_none,
    the_binary_needs_no_loader,
}

fn setpriv() -> Result<(), String> {
    works("setpriv", &["--no-new-privs"])
}

const BLOCK: &[&str] = &["--block-signal=TERM", "--block-signal=RTMIN"];

fn env_that_blocks() -> Result<(), String> {
    works("env", BLOCK)
}

fn env_blocking() -> assert_cmd::Command {
    let mut command = assert_cmd::Command::new("env");
    command.args(BLOCK);
    command
}

fn it_says_who_and_where_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let output = probe(&[]).env_clear().env("BOAT", "coracle").current_dir(&dir).assert().success();
    let report: Report = report_of(output);

    assert_eq!(report.did, None);
    assert_eq!(report.args, [PROBE]);
    assert_eq!(report.env.iter().collect::<Vec<_>>(), [(&"BOAT".to_string(), &"coracle".to_string())]);
    assert_eq!(report.cwd.as_deref(), dir.path().canonicalize().unwrap().to_str());
    assert_eq!(report.ppid, std::process::id() as i32);
    assert_eq!(report.nspid.last(), Some(&report.pid));
    assert_eq!(report.uid, nix::unistd::getuid().as_raw());
    assert_eq!(report.egid, nix::unistd::getegid().as_raw());
    assert_eq!(report.hostname, nix::unistd::gethostname().unwrap().to_str().unwrap());
    assert_eq!(report.root_entries.len(), std::fs::read_dir("/").unwrap().count());
    assert!(report.rlimits["RLIMIT_NOFILE"].soft <= report.rlimits["RLIMIT_NOFILE"].hard);
    assert_eq!(report.rlimits.len(), 16);
}

fn it_sees_the_namespaces_mounts_and_cgroups_of_its_parent() {
    let report: Report = report_of(probe(&[]).assert().success());
    for (name, inode) in &report.ns {
        assert_eq!(*inode, std::fs::metadata(format!("/proc/self/ns/{name}")).unwrap().ino(), "{name}");
    }
    assert_eq!(report.ns.len(), 8);
    assert_eq!(report.cgroup.len(), lines("/proc/self/cgroup").len());
    let proc = report.mount_at("/proc").expect("there is a /proc, so it is mounted");
    assert_eq!(proc.fstype, "proc");
}

fn it_tells_devices_by_their_numbers() {
    let report: Report = report_of(probe(&[]).assert().success());
    let null = &report.devices.unwrap()["null"];
    assert_eq!((null.kind, null.major, null.minor), (Kind::Char, Some(1), Some(3)));
    assert_eq!(null.mode, 0o666);
}

fn it_sees_the_umask_and_what_the_shell_set_before_it() {
    let script = "umask 027; ulimit -n 77; exec \"$0\"";
    let report: Report = report_of(common::shell(script).assert().success());
    assert_eq!(report.umask, 0o027);
    assert_eq!(report.rlimits["RLIMIT_NOFILE"].hard, 77);
}

fn it_lists_the_descriptors_it_was_given_and_none_of_its_own() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("kept");
    File::create(&file).unwrap();
    let script = format!("exec 7<{} </dev/null 2>/dev/null 3>&- ; exec \"$0\"", file.display());
    let report: Report = report_of(common::shell(&script).assert().success());
    let kept = file.canonicalize().unwrap();
    assert_eq!(report.fds.get(&7).map(String::as_str), kept.to_str());
    assert_eq!(report.fds[&0], "/dev/null");
    assert!(report.fds[&1].starts_with("pipe:"));
    assert!(!report.fds.values().any(|target| target.ends_with("/fd")), "{:?}", report.fds);
}

fn a_closed_stdin_is_told_as_closed() {
    let report: Report = report_of(common::shell("exec \"$0\" <&-").assert().success());
    assert!(!report.fds.contains_key(&0), "{:?}", report.fds);
    assert!(report.fds.contains_key(&1));
}

fn a_closed_stdout_costs_nothing_but_the_report() {
    common::shell("exec \"$0\" exit 7 >&- 2>&-").assert().code(7).stdout("").stderr("");
    common::shell("exec \"$0\" >/dev/full").assert().code(0).stderr("");
}

fn ignored_and_blocked_signals_are_those_that_execve_handed_down() {
    let report: Report = report_of(common::shell("trap '' PIPE INT; exec \"$0\"").assert().success());
    assert!(report.signals_ignored.contains(&"SIGPIPE".into()), "{:?}", report.signals_ignored);
    assert!(report.signals_ignored.contains(&"SIGINT".into()));
    assert!(!report.signals_ignored.contains(&"SIGTERM".into()));

    // Rust's own start-up code ignores SIGPIPE; that is not the world's doing. Whatever our caller ignores goes as well.
    let report: Report = report_of(common::shell("exec env --default-signal \"$0\"").assert().success());
    assert_eq!(report.signals_ignored, Vec::<String>::new());
    assert_eq!(report.signals_blocked, Vec::<String>::new());
}

fn blocked_signals_are_told() {
    // The standard library starts every child with nothing blocked, so somebody in between must block.
    let report: Report = report_of(env_blocking().arg(PROBE).assert().success());
    assert_eq!(report.signals_blocked, ["SIGTERM", "SIGRTMIN"]);
}

fn as_the_first_process_of_namespaces_of_its_own() {
    let mut command = unshare(FIRST);
    let report: Report = report_of(command.arg(PROBE).assert().success());
    assert_eq!((report.pid, report.ppid, report.nspid.as_slice()), (1, 0, &[1][..]));
    assert_eq!((report.uid, report.gid), (0, 0));
    assert!(report.caps.effective.contains(&"CAP_SYS_ADMIN".into()));
    for name in ["user", "pid", "mnt"] {
        assert_ne!(
            report.ns[name],
            std::fs::metadata(format!("/proc/self/ns/{name}")).unwrap().ino(),
            "{name}"
        );
    }
}

fn with_ids_that_nothing_maps() {
    let mut command = unshare(UNMAPPED);
    let report: Report = report_of(command.arg(PROBE).assert().success());
    assert_eq!((report.uid, report.euid, report.suid), (65534, 65534, 65534));
    assert_eq!((report.gid, report.egid, report.sgid), (65534, 65534, 65534));
}

fn no_new_privs_and_a_dropped_capability_are_told() {
    let mut command = unshare(USER);
    let command = command.args(["setpriv", "--no-new-privs", "--bounding-set=-sys_chroot", PROBE]);
    let report: Report = report_of(command.assert().success());
    assert_eq!(report.no_new_privs, Some(true));
    assert!(!report.caps.bounding.contains(&"CAP_SYS_CHROOT".into()));
    assert!(report.caps.bounding.contains(&"CAP_SYS_ADMIN".into()));
}

fn in_a_root_with_nothing_but_itself() {
    let root = private_root();
    let mut command = unshare(&["-U", "-r", "-p", "-f"]);
    let report: Report = report_of(command.arg("--root").arg(root.path()).arg("/probe").assert().success());
    assert_eq!(report.root_entries, ["probe"]);
    assert_eq!((report.mounts.as_ref(), report.devices.as_ref(), report.oom_score_adj), (None, None, None));
    assert!(report.ns.is_empty() && report.nspid.is_empty() && report.cgroup.is_empty());
    assert_eq!(report.pid, 1);
    assert_eq!(report.cwd.as_deref(), Some("/"));
    assert!(report.seccomp.is_some() && report.no_new_privs.is_some());
    assert!(!report.caps.bounding.is_empty());
    assert_eq!(report.fds[&1], "unknown");
}

fn a_terminal_has_a_size_and_a_pipe_has_none() {
    let report: Report = report_of(probe(&[]).assert().success());
    assert_eq!(report.tty, None);

    let size = nix::libc::winsize { ws_row: 33, ws_col: 111, ws_xpixel: 0, ws_ypixel: 0 };
    let pty = nix::pty::openpty(Some(&size), None).unwrap();
    let mut child = Command::new(PROBE)
        .stdin(Stdio::from(pty.slave))
        .stdout(Stdio::piped())
        .spawn()
        .expect("the probe starts");
    let report: Report = serde_json::from_reader(child.stdout.take().unwrap()).unwrap();
    child.wait().unwrap();
    let tty = report.tty.expect("stdin is a terminal");
    assert_eq!((tty.rows, tty.cols), (33, 111));
}

fn the_binary_needs_no_loader() {
    const PT_INTERP: u32 = 3;
    let elf = std::fs::read(PROBE).unwrap();
    let at = |offset: usize, length: usize| {
        elf[offset..offset + length]
            .iter()
            .rev()
            .fold(0_usize, |number, byte| number << 8 | usize::from(*byte))
    };
    // elf(5), 64 bits: e_phoff, e_phentsize, e_phnum; each program header begins with its type.
    let (table, size, count) = (at(32, 8), at(54, 2), at(56, 2));
    assert!(count > 0);
    assert!((0..count).all(|number| at(table + number * size, 4) != PT_INTERP as usize));
}
