//! config.md, "Process" and "POSIX process": cwd, args, env, user, keys. Row O-12.

use std::os::unix::fs::{MetadataExt, PermissionsExt};

use serde_json::{Value, json};
use testkit::Test;

use super::common::{Bundle, Finish, Leaks, is_coracle, says, text};
use super::running::{each_is_refused, exec, exec_file, reported, waiting};

pub(crate) const TESTS: &[Test] = testkit::tests! {
    o12_cwd_is_where_the_program_starts(userns),
    o12_cwd_is_made_where_it_is_missing(userns),
    o12_cwd_is_made_below_a_read_only_root(userns),
    o12_cwd_is_made_inside_whatever_a_symlink_says(userns),
    o12_a_cwd_that_is_none_is_refused(userns),
    o12_a_descriptor_of_the_runtime_is_no_cwd(userns),
    o12_a_directory_outside_is_no_cwd(userns),
    o12_a_cwd_of_others_is_entered_by_root_of_the_container(root),
    o12_a_missing_cwd_of_exec_is_an_error(userns),
    o12_args_arrive_as_they_are(userns),
    o12_without_args_nothing_runs(userns),
    o12_a_program_that_nobody_can_run_is_refused_by_create(userns),
    o12_the_environment_is_the_one_of_the_config(userns),
    o12_of_a_variable_that_is_there_twice_the_last_counts(userns),
    o12_home_is_the_one_of_the_containers_passwd(userns),
    o12_home_without_an_entry_is_the_root(userns),
    o12_a_pipe_in_the_place_of_passwd_holds_nobody_up(userns),
    o12_the_user_and_groups_are_those_of_the_config(root),
    o12_an_annotation_keeps_the_callers_groups(root),
    o12_the_umask_is_the_one_of_the_config(userns),
    o12_a_umask_that_is_not_set_is_nobodys_but_the_runtimes(userns),
    o14_an_ambient_list_as_every_config_has_it_is_no_word_at_a_terminal(userns),
    o12_the_file_of_an_exec_may_have_no_user(userns),
    o12_the_session_keyring_is_the_containers(userns, keys),
    o12_no_new_keyring_leaves_the_callers(userns, keys),
};

/// "cwd: the working directory that will be set for the executable."
fn o12_cwd_is_where_the_program_starts() {
    assert_eq!(reported(|c| c["process"]["cwd"] = json!("/tmp")).cwd.as_deref(), Some("/tmp"));
}

/// As runc and crun: image builders count on it.
fn o12_cwd_is_made_where_it_is_missing() {
    let bundle = Bundle::new();
    let mut config = Bundle::config();
    config["process"]["cwd"] = json!("/srv/deep/down");
    assert_eq!(bundle.write(&config).report().cwd.as_deref(), Some("/srv/deep/down"));
    let made = bundle.path().join("rootfs/srv/deep").metadata().expect("it was made");
    assert_eq!((made.mode() & 0o7777, made.uid()), (0o755, nix::unistd::geteuid().as_raw()));
}

fn o12_cwd_is_made_below_a_read_only_root() {
    let report = reported(|c| {
        c["root"]["readonly"] = json!(true);
        c["process"]["cwd"] = json!("/srv");
    });
    assert_eq!(report.cwd.as_deref(), Some("/srv"));
    let root = report.mount_at("/").expect("a root").options.clone();
    assert!(root.iter().any(|option| option == "ro"), "{root:?}");
}

fn o12_cwd_is_made_inside_whatever_a_symlink_says() {
    let bundle = Bundle::new();
    let outside = bundle.path().join("outside");
    std::fs::create_dir(&outside).expect("a folder");
    std::os::unix::fs::symlink(&outside, bundle.path().join("rootfs/way")).expect("a symlink");
    let mut config = Bundle::config();
    config["process"]["cwd"] = json!("/way/in");
    bundle.write(&config).run();
    assert_eq!(std::fs::read_dir(&outside).expect("a folder").count(), 0, "it was made outside");
}

/// "This value MUST be an absolute path."
fn o12_a_cwd_that_is_none_is_refused() {
    each_is_refused(&[
        (|c| c["process"]["cwd"] = json!("tmp"), "absolute path"),
        (|c| c["process"]["cwd"] = json!(""), "must"),
        (|c| c["process"]["cwd"] = json!("/probe"), "not a directory"),
    ]);
}

/// CVE-2024-21626: a descriptor that the runtime has left open leads to the host.
fn o12_a_descriptor_of_the_runtime_is_no_cwd() {
    for number in 3..=20 {
        let bundle = Bundle::new();
        let mut config = Bundle::config();
        config["process"]["cwd"] = json!(format!("/proc/self/fd/{number}"));
        let output = bundle.write(&config).run();
        let report = text(&output.stdout);
        assert!(!output.status.success(), "descriptor {number}: {report}");
        assert!(bundle.left().is_empty(), "descriptor {number}: {:?}", bundle.left());
    }
}

/// The same by a descriptor that somebody has handed down on purpose: the kernel has no name for where it leads.
fn o12_a_directory_outside_is_no_cwd() {
    let bundle = Bundle::new();
    let mut config = Bundle::config();
    config["process"]["cwd"] = json!("/proc/self/fd/3");
    let run = bundle.write(&config).command(&[], bundle.id());
    let mut shell = std::process::Command::new("sh");
    shell.args(["-c", "exec 3</; exec \"$@\"", "sh"]).arg(run.get_program());
    // Its options stand before the id.
    let args: Vec<_> = run.get_args().collect();
    shell.args(&args[..args.len() - 1]).args(["--preserve-fds", "1", bundle.id()]);
    let output = shell.output().expect("sh starts");
    let said = text(&output.stderr);
    assert!(!output.status.success(), "{}", text(&output.stdout));
    assert!(said.contains("outside") || said.contains("getcwd"), "{said}");
    assert!(bundle.left().is_empty(), "{:?}", bundle.left());
}

/// runc's issue 2086: where root of the container may go there, its user may start there.
fn o12_a_cwd_of_others_is_entered_by_root_of_the_container() {
    let bundle = Bundle::new();
    let home = bundle.path().join("rootfs/home");
    std::fs::create_dir(&home).expect("a folder");
    std::fs::set_permissions(&home, std::fs::Permissions::from_mode(0o700)).expect("it is ours");
    let mut config = Bundle::config();
    config["process"]["cwd"] = json!("/home");
    config["process"]["user"] = json!({ "uid": 42, "gid": 42 });
    let all = json!(["CAP_DAC_OVERRIDE"]);
    config["process"]["capabilities"] = json!({ "bounding": all });
    // Where it is, it may not even ask.
    assert_eq!(bundle.write(&config).report().uid, 42);
}

fn o12_a_missing_cwd_of_exec_is_an_error() {
    let bundle = waiting(|_| {});
    let error = bundle.must_fail(&["exec", "--cwd", "/nowhere", bundle.id(), "/probe"], 255);
    says(&error, "/nowhere");
    says(&error, "no such file or directory");
    assert_eq!(bundle.state_of(bundle.id())["status"], "running");
}

/// "args: with similar semantics to POSIX execvp's argv."
fn o12_args_arrive_as_they_are() {
    let args = ["/probe", "write", "/tmp/x y", "-n \"$HOME\"\n\u{f6}"];
    assert_eq!(reported(|c| c["process"]["args"] = json!(args)).args, args);
}

/// "at least one entry is required."
fn o12_without_args_nothing_runs() {
    each_is_refused(&[(|c| c["process"]["args"] = json!([]), "args")]);
}

/// Engines read what create says, and not what start does: podman ends with 127 and 126 by it.
fn o12_a_program_that_nobody_can_run_is_refused_by_create() {
    let bundle = Bundle::new();
    std::fs::write(bundle.path().join("rootfs/tmp/text"), "no program").expect("a file");
    let rows = [
        ("/nowhere", "no such file or directory"),
        ("./nowhere", "no such file or directory"),
        ("/probe/nowhere", "not a directory"),
        ("/tmp/text", "permission denied"),
    ];
    for (program, words) in rows {
        let mut config = Bundle::config();
        config["process"]["args"] = json!([program]);
        let path = bundle.write(&config).path().display().to_string();
        let args = ["create", "--bundle", &path, bundle.id()];
        let leaks = Leaks::watch(&mut bundle.coracle(&args), bundle.id());
        says(&bundle.must_fail(&args, 1), words);
        leaks.assert_none(&bundle, program);
    }
}

/// "env: with the same semantics as POSIX's environ."
fn o12_the_environment_is_the_one_of_the_config() {
    let env = json!(["PATH=/", "HOME=/tmp", "EMPTY=", "LINE=a\nb", "WITH=a=b"]);
    let found = reported(|c| c["process"]["env"] = env).env;
    let wanted = [("PATH", "/"), ("HOME", "/tmp"), ("EMPTY", ""), ("LINE", "a\nb"), ("WITH", "a=b")]
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(found, wanted.into());
}

fn o12_of_a_variable_that_is_there_twice_the_last_counts() {
    let found = reported(|c| c["process"]["env"] = json!(["ONE=two", "PATH=/", "ONE=three"])).env;
    assert_eq!(found["ONE"], "three");
}

/// The home of the user 0 in the container's /etc/passwd, with this environment.
#[track_caller]
fn home(passwd: Option<&str>, env: Value) -> String {
    let bundle = Bundle::new();
    std::fs::create_dir(bundle.path().join("rootfs/etc")).expect("a folder");
    if let Some(text) = passwd {
        std::fs::write(bundle.path().join("rootfs/etc/passwd"), text).expect("a file");
    }
    let mut config = Bundle::config();
    config["process"]["env"] = env;
    bundle.write(&config).report().env["HOME"].clone()
}

/// runc's own suite has it so: without HOME, or with an empty one, it is looked up.
fn o12_home_is_the_one_of_the_containers_passwd() {
    let passwd = Some("daemon:x:1:1::/sbin:/bin/sh\nroot:x:0:0:root:/home/of/root:/bin/sh\n");
    assert_eq!(home(passwd, json!(["PATH=/"])), "/home/of/root");
    assert_eq!(home(passwd, json!(["PATH=/", "HOME=/override", "HOME="])), "/home/of/root");
    assert_eq!(home(passwd, json!(["PATH=/", "HOME=/override"])), "/override");
}

fn o12_home_without_an_entry_is_the_root() {
    assert_eq!(home(None, json!(["PATH=/"])), "/");
    assert_eq!(home(Some("nobody:x:7:7::/x:/bin/sh\nbroken\n"), json!(["PATH=/"])), "/");
}

fn o12_a_pipe_in_the_place_of_passwd_holds_nobody_up() {
    let bundle = Bundle::new();
    let folder = bundle.path().join("rootfs/etc");
    std::fs::create_dir(&folder).expect("a folder");
    let mode = nix::sys::stat::Mode::from_bits_truncate(0o644);
    nix::unistd::mkfifo(&folder.join("passwd"), mode).expect("a pipe");
    let run = bundle.write(&Bundle::config()).command(&[], bundle.id());
    let mut limited = std::process::Command::new("timeout");
    // To a file: who hangs may outlive it, and would hold a pipe open.
    let file = bundle.path().join("output");
    limited.args(["--signal=KILL", "20"]).arg(run.get_program()).args(run.get_args());
    let status =
        limited.stdout(std::fs::File::create(&file).expect("a file")).status().expect("timeout starts");
    let said = std::fs::read_to_string(&file).expect("a file");
    let report: probe::Report =
        serde_json::from_str(&said).unwrap_or_else(|_| panic!("{status}: no report: {said}"));
    assert_eq!(report.env["HOME"], "/");
}

/// "uid", "gid", "additionalGids": in the container namespace.
fn o12_the_user_and_groups_are_those_of_the_config() {
    let user = json!({ "uid": 1000, "gid": 100, "additionalGids": [5, 7] });
    let report = reported(|c| c["process"]["user"] = user);
    assert_eq!([report.uid, report.euid, report.suid], [1000; 3]);
    assert_eq!([report.gid, report.egid, report.sgid], [100; 3]);
    assert_eq!(report.groups, [5, 7]);
}

/// crun(1), run.oci.keep_original_groups: an ordinary user's groups lead to files that their user namespace cannot name.
fn o12_an_annotation_keeps_the_callers_groups() {
    let bundle = Bundle::new();
    let mut config = Bundle::config();
    config["process"]["args"] = json!(["/probe", "wait-signal", "TERM"]);
    config["process"]["user"]["additionalGids"] = json!([11]);
    config["annotations"] = json!({ "run.oci.keep_original_groups": "1" });
    bundle.write(&config);
    let called = |args: &[&str]| {
        let command = bundle.coracle(args);
        let mut within = std::process::Command::new("setpriv");
        within.args(["--groups", "5,7"]).arg(command.get_program()).args(command.get_args());
        within.stdin(std::process::Stdio::null());
        within
    };
    let path = bundle.path().display().to_string();
    let mut create = called(&["create", "--bundle", &path, bundle.id()]);
    create.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
    assert!(create.finish().status.success());
    bundle.must(&["start", bundle.id()]);
    let status = std::fs::read_to_string(format!("/proc/{}/status", bundle.state_of(bundle.id())["pid"]));
    let groups = |line: &&str| line.starts_with("Groups:");
    assert_eq!(status.expect("it runs").lines().find(groups).map(str::trim), Some("Groups:\t5 7"));
    let exec = text(&called(&["exec", bundle.id(), "/probe"]).finish().stdout);
    let report: probe::Report = serde_json::from_str(&exec).expect("a report");
    assert_eq!(report.groups, [5, 7]);
    bundle.must(&["delete", "--force", bundle.id()]);
}

/// "umask: specifies the umask of the user."
fn o12_the_umask_is_the_one_of_the_config() {
    assert_eq!(reported(|c| c["process"]["user"]["umask"] = json!(0o63)).umask, 0o63);
    let bundle = waiting(|c| c["process"]["user"]["umask"] = json!(0o77));
    assert_eq!(exec(&bundle, &[]).umask, 0o77);
}

/// "If unspecified, the umask should not be changed from the calling process' umask": no word of RFC 2119, and what runc and
/// crun do not do, for engines call with a umask of 0, with which all that is made could be written by anybody.
fn o12_a_umask_that_is_not_set_is_nobodys_but_the_runtimes() {
    let bundle = waiting(|_| {});
    let state = bundle.state().display().to_string();
    for mask in ["0000", "0077"] {
        let run = bundle.command(&[], "second");
        let of_exec = ["--root", &state, "exec", bundle.id(), "/probe"].map(str::to_owned).to_vec();
        let of_run = run.get_args().map(|word| word.to_string_lossy().into_owned()).collect();
        for (args, verb) in [(of_exec, "exec"), (of_run, "run")] {
            if verb == "run" {
                bundle.write(&Bundle::config());
            }
            let mut shell = std::process::Command::new("sh");
            shell
                .args(["-c", &format!("umask {mask}; exec \"$0\" \"$@\"")])
                .arg(testkit::runtime())
                .args(args);
            let output = shell.stdin(std::process::Stdio::null()).finish();
            let said = text(&output.stderr);
            let report: probe::Report =
                serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{verb}: {said}"));
            assert_eq!(report.umask, 0o22, "{verb} with {mask}");
        }
    }
}

/// runc takes such a file, and its own suite has some.
fn o12_the_file_of_an_exec_may_have_no_user() {
    let bundle = waiting(|_| {});
    let report = exec_file(&bundle, |process| {
        process.as_object_mut().map(|process| process.remove("user"));
    });
    assert_eq!((report.uid, report.gid), (0, 0));
}

fn keyring(report: &probe::Report) -> String {
    report.kernel.keyring.clone().unwrap_or_default()
}

/// The keys of who calls are none of the container's business. The name is runc's; crun's is the id alone.
fn o12_the_session_keyring_is_the_containers() {
    let bundle = waiting(|_| {});
    let wanted = format!("{}{}", if is_coracle() { ";_ses." } else { "" }, bundle.id());
    let said = std::fs::read_to_string(bundle.output(bundle.id())).expect("its report");
    let report: probe::Report =
        serde_json::from_str(said.lines().next().unwrap_or_default()).expect("a report");
    assert!(keyring(&report).ends_with(&wanted), "{}", keyring(&report));
    let of_exec = exec(&bundle, &[]);
    assert!(keyring(&of_exec).ends_with(&wanted), "{}", keyring(&of_exec));
}

fn o12_no_new_keyring_leaves_the_callers() {
    let bundle = Bundle::new();
    let path = bundle.write(&Bundle::config()).path().display().to_string();
    let output = bundle.call(&["run", "--no-new-keyring", "--bundle", &path, bundle.id()]);
    let said = text(&output.stderr);
    let report: probe::Report =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("no report: {said}"));
    assert!(!keyring(&report).contains(bundle.id()), "{}", keyring(&report));
}

/// runc's own default config has one that cannot be granted, for nothing is inheritable: "logged as a warning", and no more.
fn o14_an_ambient_list_as_every_config_has_it_is_no_word_at_a_terminal() {
    let bundle = Bundle::new();
    let mut config = Bundle::config();
    let list = json!(["CAP_KILL"]);
    config["process"]["capabilities"] =
        json!({ "bounding": list, "effective": list, "permitted": list, "ambient": list });
    bundle.write(&config);
    let (status, said) = testkit::Terminal::start(&mut bundle.command(&[], bundle.id())).finish();
    assert!(status.is_some_and(|status| status.success()), "{said}");
    assert!(said.starts_with('{') && !said.contains("warning"), "{said}");
    let log = bundle.path().join("log");
    let output = bundle.command(&["--log", &log.display().to_string()], bundle.id()).finish();
    assert!(output.status.success(), "{}", text(&output.stderr));
    // Where another runtime says it, is its own business.
    if testkit::runtime().file_name().is_some_and(|name| name == "coracle") {
        let logged = std::fs::read_to_string(&log).expect("a log");
        assert!(logged.contains("warning") && logged.contains("/process/capabilities/ambient"), "{logged}");
    }
}
