//! `events`, which the specification does not know and engines call: statistics and the want of memory, as runc tells them.
//! Row O-30.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdout, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};
use testkit::{Test, patient, within};

use super::common::{Bundle, Finish, text};
use super::groups::{Disk, is_v2};

pub(crate) const TESTS: &[Test] = testkit::tests! {
    o30_events_tell_the_statistics_at_once(root, cgroup),
    o30_events_tell_of_pressure(root, cgroup2),
    o30_events_tell_the_time_that_a_program_takes(root, cgroup),
    o30_events_have_the_words_of_runc(root, cgroup, runc),
    o30_events_tell_what_has_happened(root, cgroup),
    o30_events_tell_what_a_disk_has_given(root, cgroup2),
    o30_events_come_again_at_each_interval(root, cgroup),
    o30_events_end_with_the_container(root, cgroup),
    o30_events_tell_of_the_want_of_memory(root, cgroup),
    o30_events_of_what_does_not_run_are_an_error(userns),
    o30_events_need_an_interval_with_a_unit(userns),
    o30_events_tell_the_share_of_the_cache(root, cgroup, resctrl),
};

const SOON: Duration = Duration::from_secs(10);

/// A created container with limits, whose program runs `args`.
fn limited(args: &[&str]) -> Bundle {
    let bundle = Bundle::new();
    let mut config = Bundle::config();
    config["process"]["args"] = json!(args);
    config["linux"]["resources"] = json!({
        "memory": { "limit": 32 << 20, "swap": 48 << 20 },
        "pids": { "limit": 23 },
        "cpu": { "quota": 10000, "period": 100_000 },
    });
    bundle.write(&config).create(bundle.id());
    bundle
}

/// As [`limited`]; it waits, and has begun.
fn waiting() -> Bundle {
    let bundle = limited(&["/probe", "wait-signal", "TERM"]);
    bundle.must(&["start", bundle.id()]);
    bundle.ready();
    bundle
}

#[track_caller]
fn stats(bundle: &Bundle) -> Value {
    let said = bundle.must(&["events", "--stats", bundle.id()]);
    assert_eq!(said.lines().count(), 1, "one object, one line: {said}");
    event(&said)
}

#[track_caller]
fn event(line: &str) -> Value {
    serde_json::from_str(line).unwrap_or_else(|error| panic!("no JSON: {error}: {line}"))
}

/// The call that goes on telling, and what it tells; ended when dropped.
struct Telling(Child, Receiver<Value>);

impl Telling {
    fn of(bundle: &Bundle, interval: &str) -> Telling {
        let mut command = bundle.coracle(&["events", "--interval", interval, bundle.id()]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("it starts");
        let out: ChildStdout = child.stdout.take().expect("a pipe");
        let (sender, receiver) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                // Nobody listens any more: the test is over.
                let _ = sender.send(event(&line));
            }
        });
        Telling(child, receiver)
    }

    #[track_caller]
    fn next(&self) -> Value {
        self.1.recv_timeout(patient(SOON)).unwrap_or_else(|_| panic!("nothing is told within {SOON:?}"))
    }
}

impl Drop for Telling {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn o30_events_tell_the_statistics_at_once() {
    let bundle = waiting();
    let event = stats(&bundle);
    assert_eq!((&event["type"], &event["id"]), (&json!("stats"), &json!(bundle.id())));
    let data = &event["data"];
    assert_eq!(data["pids"], json!({ "current": 1, "limit": 23 }));
    let memory = &data["memory"]["usage"];
    assert_eq!(memory["limit"], json!(32 << 20), "{memory}");
    let used = memory["usage"].as_u64().unwrap_or(0);
    assert!((1..32 << 20).contains(&used), "the probe needs memory, and no more than it may: {memory}");
    assert_eq!(memory["failcnt"], 0);
    // Of the most that it had at once not every kernel of version 2 tells.
    assert!(memory["max"].as_u64().map_or(is_v2(), |max| max >= used), "{memory}");
    assert_eq!(data["memory"]["swap"]["limit"], json!(48 << 20), "memory and swap: {}", data["memory"]);
    let both = data["memory"]["swap"]["usage"].as_u64();
    assert!(!is_v2() || both >= Some(used), "memory and swap: {}", data["memory"]);
    assert!(data["memory"]["raw"]["pgfault"].as_u64() > Some(0), "{}", data["memory"]["raw"]);
    for name in ["cpu", "cpuset", "blkio", "hugetlb", "intel_rdt"] {
        assert!(data[name].is_object(), "{name}: {}", data[name]);
    }
    let names: BTreeSet<_> = data.as_object().expect("an object").keys().map(String::as_str).collect();
    assert!(names.contains("network_interfaces"), "{names:?}");
}

/// How long it has waited for each, in a kernel that counts that.
fn o30_events_tell_of_pressure() {
    let data = stats(&waiting())["data"].clone();
    if Path::new("/proc/pressure").exists() {
        for name in ["cpu", "memory", "blkio"] {
            assert!(data[name]["psi"]["some"]["avg10"].is_f64(), "{name}: {}", data[name]);
        }
    }
}

/// In nanoseconds, whichever unit the kernel has.
fn o30_events_tell_the_time_that_a_program_takes() {
    let bundle = limited(&["/probe", "spin", "1000"]);
    bundle.must(&["start", bundle.id()]);
    let used = |time: &Value, name: &str| time[name].as_u64().unwrap_or(0);
    let millisecond = 1_000_000;
    within(SOON, "it has computed for a tenth of a second", || {
        used(&stats(&bundle)["data"]["cpu"]["usage"], "total") > 100 * millisecond
    });
    let cpu = stats(&bundle)["data"]["cpu"].clone();
    // The process's own account of its time in user and in kernel mode: where a machine is emulated, no one knows how they share.
    let known = times(&bundle.state_of(bundle.id())["pid"]);
    for (name, known) in ["user", "kernel"].into_iter().zip(known) {
        let (told, known) = (used(&cpu["usage"], name) / millisecond, known.as_millis() as u64);
        assert!((known / 2..known * 2 + 60).contains(&(told + 30)), "{name}: {told} of {known} ms: {cpu}");
    }
    // Version 1 tells it of each processor as well, by what it was found at in each tick.
    let sum = |name: &str| {
        cpu["usage"][name].as_array().into_iter().flatten().filter_map(Value::as_u64).sum::<u64>()
    };
    let (user, kernel) = (sum("percpu_user"), sum("percpu_kernel"));
    assert!(known[0] < known[1] * 2 || user >= kernel, "{cpu}");
    assert!(known[1] < known[0] * 2 || kernel >= user, "{cpu}");
    // With a tenth of a processor it has been held up in every tenth of a second.
    let held_up = &cpu["throttling"];
    let periods = used(held_up, "periods");
    assert!(used(held_up, "throttledPeriods") >= 2 && periods >= 5, "{cpu}");
    assert!(used(held_up, "throttledTime") > 50 * millisecond, "{cpu}");
}

/// How long a process has computed in user and in kernel mode (proc_pid_stat(5): `utime` and `stime`, in ticks).
fn times(pid: &Value) -> [Duration; 2] {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("it runs");
    let after_the_name = stat.rsplit_once(')').expect("a name").1;
    let fields: Vec<&str> = after_the_name.split_whitespace().collect();
    let ticks =
        nix::unistd::sysconf(nix::unistd::SysconfVar::CLK_TCK).ok().flatten().expect("a number") as f64;
    [11, 12].map(|field| Duration::from_secs_f64(fields[field].parse::<f64>().expect("ticks") / ticks))
}

/// The names of all values. What is 0 may be missing; and runc knows version 1 alone where both are, which has no huge pages
/// here then.
fn names(data: &Value) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (name, value) in data.as_object().into_iter().flatten() {
        found.insert(name.clone());
        for (below, value) in value.as_object().into_iter().flatten() {
            found.insert(format!("{name}.{below}"));
            let third = value.as_object().into_iter().flatten();
            found.extend(third.map(|(third, _)| format!("{name}.{below}.{third}")));
        }
    }
    let newer = |name: &String| name.contains("psi") || name.ends_with(".max");
    let zero = |name: &String| {
        name == "memory.cache" || name.starts_with("memory.kernel") || name.contains("throttling.")
    };
    let huge = |name: &String| name.starts_with("hugetlb.");
    found.retain(|name| !newer(name) && !zero(name) && !huge(name));
    found
}

fn o30_events_have_the_words_of_runc() {
    let ours = names(&stats(&waiting())["data"]);
    let bundle = Bundle::new();
    let mut config = Bundle::config();
    config["process"]["args"] = json!(["/probe", "wait-signal", "TERM"]);
    config["linux"]["resources"] = json!({ "memory": { "limit": 32 << 20 }, "pids": { "limit": 23 } });
    bundle.write(&config);
    let runc = |args: &[&str]| {
        let mut command = std::process::Command::new("runc");
        command.arg("--root").arg(bundle.path().join("of-runc")).args(args).stdin(Stdio::null());
        command
    };
    let path = bundle.path().display().to_string();
    let output = std::fs::File::create(bundle.output(bundle.id())).expect("a file");
    let mut run = runc(&["run", "--detach", "--bundle", &path, bundle.id()]);
    let status = run.stdout(output).stderr(Stdio::null()).finish().status;
    bundle.ready();
    let said = runc(&["events", "--stats", bundle.id()]).finish();
    let gone = runc(&["delete", "--force", bundle.id()]).finish();
    assert!(status.success() && gone.status.success(), "{}", text(&gone.stderr));
    assert_eq!(ours, names(&event(&text(&said.stdout))["data"]));
}

/// What has happened since its start: a file that it has read or written, a limit that was met, whoever counts it.
fn o30_events_tell_what_has_happened() {
    let bundle = Bundle::new();
    let mut config = Bundle::config();
    config["process"]["args"] = json!(["/probe", "wait-signal", "TERM"]);
    config["linux"]["resources"] = json!({
        "memory": { "limit": 32 << 20 },
        "hugepageLimits": [{ "pageSize": "2MB", "limit": 4_194_304 }],
    });
    bundle.write(&config).create(bundle.id());
    bundle.must(&["start", bundle.id()]);
    bundle.ready();
    bundle.call(&["exec", bundle.id(), "/probe", "alloc", "100"]);
    bundle.must(&["exec", bundle.id(), "/probe", "write", "/new", "x"]);
    let data = stats(&bundle)["data"].clone();
    let memory = &data["memory"];
    let cache = &memory["raw"][if is_v2() { "file" } else { "cache" }];
    assert!(cache.as_u64() > Some(0) && memory["cache"] == *cache, "{memory}");
    assert!(is_v2() || memory["usage"]["failcnt"].as_u64() > Some(0), "{memory}");
    assert!(is_v2() || data["blkio"]["psi"].is_null(), "where version 1 counts it: {}", data["blkio"]);
    assert!(data["hugetlb"]["2MB"].is_object(), "{}", data["hugetlb"]);
    let sizes = data["hugetlb"].as_object().into_iter().flatten();
    let others: Vec<_> = sizes.map(|(name, _)| name).filter(|name| !name.ends_with('B')).collect();
    assert!(others.is_empty(), "these are no sizes: {others:?}");
}

/// In bytes and in operations.
fn o30_events_tell_what_a_disk_has_given() {
    let disk = Disk::new();
    let bundle = Bundle::new();
    let mut config = Bundle::config();
    config["process"]["args"] = json!(["/probe", "wait-signal", "TERM"]);
    disk.goes_into(&mut config);
    bundle.write(&config).create(bundle.id());
    bundle.must(&["start", bundle.id()]);
    bundle.ready();
    disk.forget();
    bundle.must(&["exec", bundle.id(), "/probe", "open", "/tmp/disk"]);
    let data = stats(&bundle)["data"].clone();
    let told = |list: &str| -> u64 {
        let number = |entry: &Value, name: &str| entry[name].as_u64().unwrap_or(0);
        let of_disk =
            |entry: &&Value| (number(entry, "major"), number(entry, "minor")) == (disk.major, disk.minor);
        let entries = data["blkio"][list].as_array().into_iter().flatten().filter(of_disk);
        entries.filter(|entry| entry["op"] == "Read").map(|entry| number(entry, "value")).sum()
    };
    assert_eq!(told("ioServiceBytesRecursive"), 4096, "{}", data["blkio"]);
    assert!((1..=8).contains(&told("ioServicedRecursive")), "{}", data["blkio"]);
}

fn o30_events_come_again_at_each_interval() {
    let bundle = waiting();
    let telling = Telling::of(&bundle, "20ms");
    let first = telling.next();
    assert_eq!((&first["type"], &first["id"]), (&json!("stats"), &json!(bundle.id())));
    for _ in 0..3 {
        assert_eq!(telling.next()["data"]["pids"]["current"], 1);
    }
    // What takes longer than the test is not told again.
    let slow = Telling::of(&bundle, "1h30m");
    let _ = telling.next();
    assert!(slow.1.try_recv().is_err(), "an hour and a half is not over");
}

/// Whether the process has an eventfd that was written to, and that it has not read (proc_pid_fdinfo(5)).
fn has_heard(pid: Pid) -> bool {
    let all = std::fs::read_dir(format!("/proc/{pid}/fdinfo")).expect("it is our child").flatten();
    let mut told = all.filter_map(|entry| std::fs::read_to_string(entry.path()).ok());
    let count = |line: &str| line.strip_prefix("eventfd-count:").is_some_and(|count| count.trim() != "0");
    told.any(|text| text.lines().any(count))
}

fn o30_events_end_with_the_container() {
    // Of a group that is gone the kernel speaks as of one that wants memory, and who was not looking hears of all at once.
    for end in [&["kill", "KILL"][..], &["delete", "--force"]] {
        let bundle = waiting();
        let mut telling = Telling::of(&bundle, "20ms");
        telling.next();
        let pid = Pid::from_raw(telling.0.id() as i32);
        kill(pid, Signal::SIGSTOP).expect("it is our child");
        let id = bundle.id();
        bundle.must(&if end[0] == "kill" { [end[0], id, end[1]] } else { [end[0], end[1], id] });
        if end[0] == "delete" && !is_v2() {
            within(SOON, "the kernel has spoken", || has_heard(pid));
        }
        kill(pid, Signal::SIGCONT).expect("it is our child");
        within(SOON, "events has ended", || telling.0.try_wait().expect("our child").is_some());
        assert!(telling.0.wait().expect("our child").success());
        assert!(telling.1.iter().all(|event| event["type"] == "stats"), "nothing but the end was to be told");
    }
}

/// The kernel kills a process of a group that wants more than it may have, and tells whoever asked.
fn o30_events_tell_of_the_want_of_memory() {
    // It waits with its standard input open: where it is at its end, it ends.
    let bundle = limited(&["/probe", "hog", "64"]);
    let telling = Telling::of(&bundle, "20ms");
    assert_eq!(telling.next()["type"], "stats", "a container that waits for start is told of as well");
    bundle.must(&["start", bundle.id()]);
    let oom = std::iter::repeat_with(|| telling.next()).take(500).find(|event| event["type"] != "stats");
    assert_eq!(oom, Some(json!({ "type": "oom", "id": bundle.id() })));
}

fn o30_events_of_what_does_not_run_are_an_error() {
    let bundle = Bundle::new();
    bundle.args(&["/probe", "exit", "0"]).create(bundle.id());
    bundle.must(&["start", bundle.id()]);
    bundle.wait_for(bundle.id(), "stopped");
    for options in [&["--stats"][..], &[]] {
        let error = bundle.must_fail(&[&["events"], options, &[bundle.id()]].concat(), 1);
        assert!(error.contains("not running"), "{error}");
    }
    let error = bundle.must_fail(&["events", "--stats", "nobody"], 1);
    assert!(error.contains("does not exist"), "{error}");
}

fn o30_events_need_an_interval_with_a_unit() {
    let bundle = Bundle::new();
    bundle.args(&["/probe", "wait-signal", "TERM"]).create(bundle.id());
    for interval in ["0s", "0", "5", "-1s", "1d", "", "s", "1.2.3s"] {
        let error =
            bundle.must_fail(&["events", &format!("--interval={interval}"), "--stats", bundle.id()], 1);
        assert!(error.contains("interval"), "{interval:?}: {error}");
    }
    for interval in ["5s", "300ms", "1.5h", "1h30m", "100us", "2m0.5s"] {
        bundle.must(&["events", &format!("--interval={interval}"), "--stats", bundle.id()]);
    }
}

/// Documentation/filesystems/resctrl.rst: a group's own folder has a line `L3:...` or `MB:...` of what it gets.
fn o30_events_tell_the_share_of_the_cache() {
    let bundle = Bundle::new();
    let schemata = std::fs::read_to_string("/sys/fs/resctrl/schemata").expect("the root's");
    let line = schemata.lines().next().expect("a resource").trim().to_owned();
    let mut config = Bundle::config();
    config["process"]["args"] = json!(["/probe", "wait-signal", "TERM"]);
    config["linux"]["intelRdt"] = json!({ "schemata": [line] });
    bundle.write(&config).create(bundle.id());
    let share = stats(&bundle)["data"]["intel_rdt"].clone();
    let told = if line.starts_with("L3:") { &share["l3_cache_schema"] } else { &share["mem_bw_schema"] };
    assert_eq!(told, &json!(line), "{share}");
}
