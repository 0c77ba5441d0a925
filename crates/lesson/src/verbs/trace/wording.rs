//! A call as a person wants to read it: without addresses and inodes, with short paths.

use std::path::Path;
use std::sync::LazyLock;

use regex::Regex;

use super::shown;
use super::strace::Call;

/// Paths of this run, and what they are called on the page.
#[derive(Debug)]
pub(super) struct Places(Vec<(String, String)>);

impl Places {
    /// Those of a run in `folder`, of the runtime at `runtime`, in the control group of that name.
    pub(super) fn new(folder: &Path, runtime: &Path, cgroup: Option<&str>) -> Self {
        let inside = |name: &str| folder.join(name).display().to_string();
        let mut places = vec![
            (inside("bundle/rootfs"), "ROOTFS".to_owned()),
            (inside("bundle"), "BUNDLE".to_owned()),
            (inside("state"), "STATE".to_owned()),
            (inside("probe"), "/probe".to_owned()),
            (folder.display().to_string(), "RUN".to_owned()),
            (runtime.display().to_string(), shown(runtime)),
        ];
        places.extend(cgroup.map(|name| (name.to_owned(), "CGROUP".to_owned())));
        Self(places)
    }

    /// Words a call: `name(arguments)`, and the result where it tells more than that it worked.
    pub(super) fn word(&self, call: &Call) -> String {
        let mut text = call.arguments.clone();
        for (path, name) in &self.0 {
            text = text.replace(path, name);
        }
        for (pattern, short) in SHORT.iter() {
            text = pattern.replace_all(&text, *short).into_owned();
        }
        format!("{}({text}){}", call.name, result(&call.result))
    }
}

/// What is left out, and what stands for it.
static SHORT: LazyLock<Vec<(Regex, &'static str)>> = LazyLock::new(|| {
    let rules = [
        // clone3: what is empty, and where results go. Of it and of others: how large a structure is.
        (r", child_tid=0x[0-9a-f]+|, parent_tid=0x[0-9a-f]+|, pidfd=0x[0-9a-f]+|, tls=0x[0-9a-f]+", ""),
        (r", stack=(NULL|0x[0-9a-f]+), stack_size=(0x[0-9a-f]+|0)", ""),
        (r"\}( => \{[^{}]*\})?, \d+$", "}"),
        (r", exit_signal=(0|SIGCHLD)\b", ""),
        (r"\bchild_stack=(NULL|0x[0-9a-f]+), ", ""),
        (r", child_tidptr=0x[0-9a-f]+", ""),
        // What -y says of descriptors without a path: the kind will do.
        (r"<anon_inode:\[?(\w+)\]?>|<(\w+):\[\d+\]>", "<$1$2>"),
        (r"AT_FDCWD<[^<>]*>", "AT_FDCWD"),
        (r"(<[^<>]*>)\(deleted\)", "$1"),
        (r"/proc/\d+/", "/proc/PID/"),
        // Of an end: how, not how long it took.
        (r"\{si_signo=SIGCHLD, si_code=(\w+), .*si_status=(\w+),[^}]*\}", "{$1, $2}"),
        (r"\{ru_utime=.*\}", "…"),
        // Of a handler: which.
        (r"\{sa_handler=(SIG_\w+|0x[0-9a-f]+), [^}]*\}", "{$1}"),
        // Of a long string, its beginning. strace must not cut it before the paths in it are short.
        (r#""((?:[^"\\]|\\.){96})(?:[^"\\]|\\.)+"(?:\.\.\.)?"#, "\"$1\"..."),
        // Addresses, and the comments of strace.
        (r"0x[0-9a-f]{5,}(?: /\* \d+ vars \*/)?", "…"),
        (r" /\* [^*]*\*/", ""),
    ];
    let compile = |(pattern, short)| (Regex::new(pattern).expect("a regular expression of ours"), short);
    rules.into_iter().map(compile).collect()
});

fn result(text: &str) -> String {
    // -y also names a "descriptor" 0 where 0 means that it worked.
    let mut words = text.split([' ', '<']);
    match words.next() {
        None | Some("" | "0" | "?") => String::new(),
        Some("-1") => format!(" = -1 {}", words.next().unwrap_or_default()),
        Some(number) => format!(" = {number}"),
    }
}

/// What of a wording must be equal for two calls to be the same: neither numbers of descriptors and processes, nor
/// whether a name is for a path or for a path from here.
pub(super) fn essence(wording: &str) -> String {
    let mut text = wording.to_owned();
    for (pattern, short) in ESSENCE.iter() {
        text = pattern.replace_all(&text, *short).into_owned();
    }
    text
}

static ESSENCE: LazyLock<Vec<(Regex, &'static str)>> = LazyLock::new(|| {
    let rules = [
        (r" = \d+$", ""),
        (r"\b\d+<", "<"),
        (r"\bNULL\b|…", "\"\""),
        (r"^(mkdir|mknod|open|rename|symlink|unlink|readlink|fchmod|fchown)at\(AT_FDCWD, ", "$1("),
        // The place of a symlink comes second.
        (r"^symlinkat\((.*), AT_FDCWD, ", "symlink($1, "),
        (r"\b\d{2,}\b", "N"),
    ];
    let compile = |(pattern, short)| (Regex::new(pattern).expect("a regular expression of ours"), short);
    rules.into_iter().map(compile).collect()
});

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verbs::trace::strace;

    fn word(line: &str) -> String {
        let places = Places::new(
            Path::new("/tmp/coracle-trace-x"),
            Path::new("/usr/sbin/runc"),
            Some("coracle-trace-x"),
        );
        places.word(&strace::parse(line)[0])
    }

    #[test]
    fn paths_of_the_run_are_short() {
        assert_eq!(
            word(
                "9 open_tree(4</tmp/coracle-trace-x/bundle/rootfs>, \"\", OPEN_TREE_CLONE|AT_RECURSIVE) = 5</>"
            ),
            "open_tree(4<ROOTFS>, \"\", OPEN_TREE_CLONE|AT_RECURSIVE) = 5"
        );
        assert_eq!(
            word(
                "9 mkdirat(AT_FDCWD</tmp/coracle-trace-x/bundle>, \"/sys/fs/cgroup/pids/coracle-trace-x\", 0755) = 0"
            ),
            "mkdirat(AT_FDCWD, \"/sys/fs/cgroup/pids/CGROUP\", 0755)"
        );
        assert_eq!(
            word(
                "9 execve(\"/tmp/coracle-trace-x/probe\", [\"/tmp/coracle-trace-x/probe\"], 0x55555e73d870 /* 2 vars */) = 0"
            ),
            "execve(\"/probe\", [\"/probe\"], …)"
        );
    }

    #[test]
    fn addresses_and_inodes_are_left_out() {
        assert_eq!(
            word(
                "9 clone3({flags=CLONE_PIDFD|CLONE_NEWNS|CLONE_INTO_CGROUP, pidfd=0x7fff1dc8a4a4, exit_signal=SIGCHLD, \
                 stack=NULL, stack_size=0, cgroup=7} => {pidfd=[20<anon_inode:[pidfd]>]}, 88) = 23856"
            ),
            "clone3({flags=CLONE_PIDFD|CLONE_NEWNS|CLONE_INTO_CGROUP, cgroup=7}) = 23856"
        );
        assert_eq!(
            word("9 mount(\"\", \"/\", 0xc00013e724, MS_REC|MS_SLAVE, NULL) = 0"),
            "mount(\"\", \"/\", …, MS_REC|MS_SLAVE, NULL)"
        );
        assert_eq!(
            word("9 pidfd_send_signal(3<anon_inode:[pidfd]>, SIGKILL, NULL, 0) = 0"),
            "pidfd_send_signal(3<pidfd>, SIGKILL, NULL, 0)"
        );
        assert_eq!(
            word("9 connect(4<socket:[4252402]>, {sa_family=AF_UNIX}, 28) = 0"),
            "connect(4<socket>, {sa_family=AF_UNIX})"
        );
        assert_eq!(
            word("9 pivot_root(\".\", \".\") = -1 EINVAL (Invalid argument)"),
            "pivot_root(\".\", \".\") = -1 EINVAL"
        );
    }

    #[test]
    fn of_a_long_string_the_beginning_is_shown() {
        let json = r#"{\"args\":[\"/tmp/coracle-trace-x/probe\"],"#;
        let worded = word(&format!("9 write(7</a>, \"{json}{}\", 999) = 999", "x".repeat(200)));
        assert!(worded.starts_with(r#"write(7</a>, "{\"args\":[\"/probe\"],xx"#), "{worded}");
        assert!(worded.ends_with(r#"xx"..., 999) = 999"#) && worded.len() < 140, "{worded}");
    }

    #[test]
    fn what_differs_by_chance_is_no_difference() {
        let same = |a: &str, b: &str| essence(&word(a)) == essence(&word(b));
        assert!(same("1 fchdir(5</>) = 0", "2 fchdir(10</>) = 0"));
        assert!(same(
            "1 mount(NULL, \"/\", NULL, MS_REC|MS_SLAVE, NULL) = 0",
            "2 mount(\"\", \"/\", 0xc00013e724, MS_REC|MS_SLAVE, NULL) = 0"
        ));
        assert!(same("1 mkdir(\"/a\", 0755) = 0", "2 mkdirat(AT_FDCWD</b>, \"/a\", 0755) = 0"));
        assert!(!same(
            "1 mount(NULL, \"/\", NULL, MS_REC|MS_SLAVE, NULL) = 0",
            "2 mount(NULL, \"/\", NULL, MS_REC|MS_PRIVATE, NULL) = 0"
        ));
        assert!(!same("1 pivot_root(\".\", \".\") = 0", "1 pivot_root(\".\", \".\") = -1 EPERM (x)"));
    }
}
