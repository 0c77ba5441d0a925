//! The runtime's own process: who is inside must not look into it, nor write to its file, nor find a descriptor of its.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};
use testkit::{Test, within};

use super::attack::Canary;
use super::common::{self, Finish, is_coracle, text};
use super::harbour::{Bundle, told};
use super::running::{exec, waiting};

pub(crate) const TESTS: &[Test] = testkit::tests! {
    cve_2016_9962_nobody_inside_looks_into_an_init_that_waits(userns),
    cve_2016_9962_nobody_inside_looks_into_an_exec(userns, busybox),
    cve_2019_5736_the_runtimes_program_cannot_be_written(userns, busybox),
    cve_2024_21626_no_descriptor_leads_out(userns),
    cve_2024_21626_no_descriptor_of_exec_leads_out(userns),
};

/// What engines give a container.
fn as_engines_do(config: &mut Value) {
    let all = json!([
        "CAP_AUDIT_WRITE",
        "CAP_CHOWN",
        "CAP_DAC_OVERRIDE",
        "CAP_FOWNER",
        "CAP_FSETID",
        "CAP_KILL",
        "CAP_MKNOD",
        "CAP_NET_BIND_SERVICE",
        "CAP_NET_RAW",
        "CAP_SETFCAP",
        "CAP_SETGID",
        "CAP_SETPCAP",
        "CAP_SETUID",
        "CAP_SYS_CHROOT",
    ]);
    config["process"]["capabilities"] = json!({ "bounding": all, "effective": all, "permitted": all });
}

/// runc before 1.0.0-rc3 joined a container's PID namespace as a process that could be traced: who is inside found the host's
/// directories among its descriptors. Cure: it makes itself undumpable first. Here a second container joins the namespace, and
/// its init waits for `start`: there is all the time of the world. NVD, CVE-2016-9962.
fn cve_2016_9962_nobody_inside_looks_into_an_init_that_waits() {
    let inside = waiting(as_engines_do);
    let host = inside.state_of(inside.id())["pid"].to_string();
    let victim = common::Bundle::new();
    let mut config = common::Bundle::config();
    as_engines_do(&mut config);
    config["process"]["args"] = json!(["/probe", "wait-signal", "TERM"]);
    for namespace in config["linux"]["namespaces"].as_array_mut().expect("a list") {
        if namespace["type"] == "pid" || namespace["type"] == "user" {
            let name = namespace["type"].as_str().expect("a name");
            namespace["path"] = json!(format!("/proc/{host}/ns/{name}"));
        }
    }
    let linux = config["linux"].as_object_mut().expect("an object");
    linux.retain(|name, _| name == "namespaces");
    victim.write(&config).create(victim.id());
    let status = std::fs::read_to_string(format!("/proc/{}/status", victim.state_of(victim.id())["pid"]));
    let status = status.expect("it waits");
    let numbers = status.lines().find(|line| line.starts_with("NSpid:")).expect("its numbers");
    let pid = numbers.split_whitespace().last().expect("the one that is seen inside");
    let [cwd, input, environ] = ["cwd", "fd/0", "environ"].map(|name| format!("/proc/{pid}/{name}"));
    let (ptrace, seize) = (libc::SYS_ptrace.to_string(), libc::PTRACE_SEIZE.to_string());
    let attacks =
        [&["list", &cwd][..], &["open", &input], &["open", &environ], &["syscall", &ptrace, &seize, pid]];
    let seen = || {
        attacks.map(|attack| {
            let said = inside.must(&[&["exec", inside.id(), "/probe"], attack].concat());
            let report = serde_json::from_str(said.lines().next().unwrap_or_default()).expect("a report");
            let said = told(&report);
            // An environment is nobody's business, in a message of a test as well.
            if said.contains('=') { "an environment".to_owned() } else { said }
        })
    };
    assert_eq!(seen(), ["EACCES", "EACCES", "EACCES", "EPERM"], "the runtime's process is laid open");
    victim.must(&["start", victim.id()]);
    victim.ready();
    let of_a_program = ["dev\nprobe\nproc\ntmp", "", "an environment", ""];
    assert_eq!(seen(), of_a_program, "a program like the attacker can be looked into");
    victim.must(&["delete", "--force", victim.id()]);
}

/// A BusyBox that runs this script waits in a container, to attack what enters.
fn attacker(script: &str) -> common::Bundle {
    let find = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scripts/fetch-busybox");
    let busybox = Command::new(find).output().expect("fetch-busybox starts");
    let bundle = common::Bundle::new();
    let place = bundle.path().join("rootfs/busybox");
    let copied = Command::new("cp").arg(text(&busybox.stdout).trim()).arg(place).status();
    assert!(copied.expect("cp starts").success(), "a copy of BusyBox");
    std::fs::write(bundle.path().join("rootfs/attack"), script).expect("a script");
    let mut config = common::Bundle::config();
    as_engines_do(&mut config);
    config["process"]["args"] = json!(["/busybox", "sh", "/attack"]);
    bundle.write(&config);
    bundle
}

fn said_by(bundle: &common::Bundle) -> String {
    std::fs::read_to_string(bundle.output(bundle.id())).unwrap_or_default()
}

/// The same of a later process, which is seen inside for a moment: the attacker looks all the time, at who is not itself.
fn cve_2016_9962_nobody_inside_looks_into_an_exec() {
    const SECRET: &str = "CORACLE_CANARY";
    let bundle = attacker(&format!(
        "echo ready
        while :; do for p in /proc/[0-9]*; do
            [ $p = /proc/1 ] && continue
            [ $found ] || {{ found=yes; echo found; }}
            for f in $p/root $p/cwd $p/fd/*; do [ -e $f/canary ] && echo leads out: $f; done
            for f in $p/fd/*; do [ -d $f ] && echo a directory: $f; done
            x=; read -r x <$p/environ; case $x in *{SECRET}*) echo environment: $p; esac
        done; done 2>/tmp/errors"
    ));
    std::fs::write(bundle.path().join("canary"), "untouched").expect("a file");
    bundle.create(bundle.id());
    bundle.must(&["start", bundle.id()]);
    within(Duration::from_secs(5), "the attacker looks", || said_by(&bundle).contains("ready"));
    for _ in 0..40 {
        let mut exec = bundle.coracle(&["exec", bundle.id(), "/busybox", "sleep", "0.01"]);
        // From a directory that is the host's alone.
        let output = exec.current_dir(bundle.path()).env(SECRET, "secret").finish();
        assert!(output.status.success(), "{}", text(&output.stderr));
    }
    assert_eq!(said_by(&bundle), "ready\nfound\n", "what the attacker saw");
    bundle.must(&["delete", "--force", bundle.id()]);
}

/// `arguments`, by a copy of the runtime that may come to harm.
fn by_copy(copy: &Path, bundle: &common::Bundle, arguments: &[&str]) -> Command {
    let mut command = Command::new(copy);
    command.arg("--root").arg(bundle.state()).args(arguments).stdin(std::process::Stdio::null());
    command
}

/// runc before 1.0.0-rc7 entered a container by its own file: a program that is `#!/proc/self/exe` has it run inside, where
/// /proc/PID/exe can be opened, and written to when nobody runs it any more. The next call is the attacker's, as root. Cure:
/// what enters is a copy that is sealed. NVD, CVE-2019-5736.
fn cve_2019_5736_the_runtimes_program_cannot_be_written() {
    // By its descriptor it is opened once more, for writing: while it runs, ETXTBSY.
    let bundle = attacker(
        "echo ready
        while :; do for p in /proc/[0-9]*; do
            [ $p = /proc/1 ] && continue
            {
                [ /proc/self/fd/9 -ef /busybox ] || [ /proc/self/fd/9 -ef /probe ] || {
                    echo held
                    n=0
                    while [ $n -lt 3000 ]; do
                        n=$((n + 1))
                        echo escaped >/proc/self/fd/9 && echo written && break
                    done
                }
            } 9<$p/exe
        done; done 2>/tmp/errors",
    );
    let evil = bundle.path().join("rootfs/evil");
    std::fs::write(&evil, "#!/proc/self/exe\n").expect("a script");
    std::fs::set_permissions(&evil, PermissionsExt::from_mode(0o755)).expect("it is ours");
    let copy = bundle.path().join("canary");
    std::fs::create_dir(&copy).expect("a folder");
    let copy = copy.join(testkit::runtime().file_name().expect("a name"));
    let copied = Command::new("cp").arg(testkit::runtime()).arg(&copy).status();
    assert!(copied.expect("cp starts").success(), "a copy of the runtime");
    let before = std::fs::read(&copy).expect("the copy");
    bundle.create(bundle.id());
    bundle.must(&["start", bundle.id()]);
    within(Duration::from_secs(5), "the attacker looks", || said_by(&bundle).contains("ready"));
    for _ in 0..20 {
        // How it ends is all the same.
        by_copy(&copy, &bundle, &["exec", bundle.id(), "/evil"]).finish();
        // Nobody runs it now: the attacker's moment. There is no event that tells of it.
        std::thread::sleep(Duration::from_millis(30));
        assert!(std::fs::read(&copy).expect("the copy") == before, "the runtime was overwritten");
    }
    let said = said_by(&bundle);
    // A runtime that needs libraries does not run inside; ours does.
    assert!(!is_coracle() || said.contains("held"), "the attacker never held the runtime's file: {said}");
    assert!(!said.contains("written"), "{said}");
    let output = by_copy(&copy, &bundle, &["exec", bundle.id(), "/probe"]).finish();
    assert!(serde_json::from_slice::<probe::Report>(&output.stdout).is_ok(), "{}", text(&output.stderr));
    bundle.must(&["delete", "--force", bundle.id()]);
}

/// `call` by a caller that has the host's root open, as number 9: a descriptor that is not close-on-exec.
fn with_open_root(call: &Command) -> Command {
    let mut shell = Command::new("sh");
    shell.args(["-c", "exec \"$@\" 9</", "sh"]).arg(call.get_program()).args(call.get_args());
    shell.stdin(std::process::Stdio::null());
    shell
}

/// The canary from any directory of the host, as the way up ends at the root.
fn from_anywhere(canary: &Canary, name: &str) -> String {
    format!("{}{}", "../".repeat(40), canary.file(name).trim_start_matches('/'))
}

/// runc before 1.1.12 had a descriptor of the host's /sys/fs/cgroup open in the container's init: a working directory of
/// /proc/self/fd/N was there, and ../../.. led to all of the host. Cure: descriptors are closed first, and a working
/// directory that has no name inside is refused. GHSA-xr7r-f8xq-vfvv.
fn cve_2024_21626_no_descriptor_leads_out() {
    let bundle = Bundle::new();
    let canary = Canary::new(&bundle, &["file"]);
    let program = bundle.path("program");
    let copied = Command::new("cp").arg(testkit::probe()).arg(&program).status();
    assert!(copied.expect("cp starts").success(), "a copy of the probe outside");
    let out = from_anywhere(&canary, "file");
    for number in 3..=12 {
        let way = format!("/proc/self/fd/{number}");
        let mut config = Bundle::config(&[], &["write", &out, "escaped"]);
        config["process"]["cwd"] = json!(way);
        let output = with_open_root(&bundle.0.write(&config).command(&[], bundle.0.id())).finish();
        canary.assert_untouched(&way);
        assert!(!output.status.success(), "{way}: {}", text(&output.stdout));
        // A program of the host.
        config["process"]["cwd"] = json!("/");
        config["process"]["args"][0] = json!(format!("{way}{}", program.display()));
        let output = with_open_root(&bundle.0.write(&config).command(&[], bundle.0.id())).finish();
        assert_eq!(text(&output.stdout), "", "{way}: a program of the host runs");
        canary.assert_untouched(&way);
    }
    let mut config = Bundle::config(&[], &["write", "../tmp/file", "inside"]);
    config["process"]["cwd"] = json!("/tmp");
    let output = with_open_root(&bundle.0.write(&config).command(&[], bundle.0.id())).finish();
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(std::fs::read_to_string(bundle.path("rootfs/tmp/file")).expect("it is there"), "inside");
}

/// The same of a later process, and of a symlink in the container that is its working directory.
fn cve_2024_21626_no_descriptor_of_exec_leads_out() {
    let bundle = Bundle(waiting(|_| {}));
    let canary = Canary::new(&bundle, &["file"]);
    let out = from_anywhere(&canary, "file");
    let id = bundle.0.id();
    for number in 3..=12 {
        let link = format!("/tmp/{number}");
        let way = format!("/proc/self/fd/{number}");
        std::os::unix::fs::symlink(&way, bundle.path("rootfs").join(&link[1..])).expect("a symlink");
        for cwd in [&way, &link] {
            let call = bundle.0.coracle(&["exec", "--cwd", cwd, id, "/probe", "write", &out, "escaped"]);
            let output = with_open_root(&call).finish();
            canary.assert_untouched(cwd);
            assert!(!output.status.success(), "{cwd}: {}", text(&output.stdout));
        }
    }
    assert_eq!(exec(&bundle.0, &["--cwd", "/tmp"]).cwd.as_deref(), Some("/tmp"));
    bundle.0.must(&["delete", "--force", id]);
}
