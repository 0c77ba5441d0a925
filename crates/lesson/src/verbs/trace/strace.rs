//! What `strace -f -y -o FILE` writes, as calls.

use std::collections::BTreeMap;

/// One system call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Call {
    /// The thread that made it.
    pub(super) thread: u32,
    /// Its name.
    pub(super) name: String,
    /// What stands between the parentheses.
    pub(super) arguments: String,
    /// What stands behind the equals sign; `?` where it did not return.
    pub(super) result: String,
}

impl Call {
    /// Whether the kernel did it.
    pub(super) fn succeeded(&self) -> bool {
        !self.result.starts_with('-') && !self.result.starts_with('?')
    }

    /// Whether it makes a process or a thread.
    pub(super) fn gives_birth(&self) -> bool {
        matches!(self.name.as_str(), "clone" | "clone3" | "fork" | "vfork") && self.succeeded()
    }

    /// Whether what it makes is a thread.
    pub(super) fn is_of_a_thread(&self) -> bool {
        self.arguments.contains("CLONE_THREAD")
    }
}

/// The calls of a trace, in the order in which they began. Signals and ends of processes are no calls.
pub(super) fn parse(text: &str) -> Vec<Call> {
    let mut calls: Vec<Call> = Vec::new();
    // Where a call is cut in two because another thread spoke in between, its beginning is looked up here.
    let mut unfinished: BTreeMap<u32, usize> = BTreeMap::new();
    for line in text.lines() {
        let Some((thread, said)) = line.trim_start().split_once(' ') else { continue };
        let (Ok(thread), said) = (thread.parse(), said.trim_start()) else { continue };
        if let Some(rest) = said.strip_prefix("<... ") {
            let Some(call) = unfinished.remove(&thread).and_then(|n| calls.get_mut(n)) else { continue };
            let rest = rest.split_once(" resumed>").map_or("", |(_, rest)| rest);
            let (arguments, result) = ended(rest);
            call.arguments.push_str(arguments);
            call.result = result.to_owned();
            continue;
        }
        // Whichever thread execs, the process goes on as its first one.
        if let Some(other) = said.strip_prefix("+++ superseded by execve in pid ") {
            let other = other.split(' ').next().and_then(|pid| pid.parse().ok());
            if let Some(n) = other.and_then(|pid: u32| unfinished.remove(&pid)) {
                unfinished.insert(thread, n);
                calls.get_mut(n).into_iter().for_each(|call| call.thread = thread);
            }
            continue;
        }
        let Some((name, rest)) = said.split_once('(') else { continue };
        if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
            continue;
        }
        let (arguments, result) = match rest.strip_suffix(" <unfinished ...>") {
            Some(arguments) => {
                unfinished.insert(thread, calls.len());
                (arguments, "?")
            }
            None => ended(rest),
        };
        calls.push(Call {
            thread,
            name: name.to_owned(),
            arguments: arguments.into(),
            result: result.into(),
        });
    }
    // Where a call was cut behind a comma and never went on.
    for call in &mut calls {
        call.arguments.truncate(call.arguments.trim_end().len());
    }
    calls
}

/// Cuts `ARGUMENTS) = RESULT`. The last such place is the right one: a string may hold one too.
fn ended(text: &str) -> (&str, &str) {
    let cut = |at: usize| {
        let result = text[at + 1..].trim_start().strip_prefix("= ")?;
        Some((&text[..at], result.trim_end()))
    };
    let found = text.rmatch_indices(')').find_map(|(at, _)| cut(at));
    found.unwrap_or((text.trim_end_matches(')'), "?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(line: &str) -> Call {
        let calls = parse(line);
        assert_eq!(calls.len(), 1, "{calls:?}");
        calls.into_iter().next().unwrap()
    }

    #[test]
    fn a_line_is_a_call() {
        let call = one("23856 umount2(\".\", MNT_DETACH)          = 0\n");
        assert_eq!((call.thread, call.name.as_str()), (23856, "umount2"));
        assert_eq!((call.arguments.as_str(), call.result.as_str()), ("\".\", MNT_DETACH", "0"));
        assert!(call.succeeded());
    }

    #[test]
    fn what_looks_like_an_end_inside_is_none() {
        let call = one(r#"7 write(2</dev/null>, "f(x) = 1\n", 9) = -1 EPIPE (Broken pipe)"#);
        assert_eq!(call.arguments, r#"2</dev/null>, "f(x) = 1\n", 9"#);
        assert_eq!(call.result, "-1 EPIPE (Broken pipe)");
        assert!(!call.succeeded());
    }

    #[test]
    fn a_call_cut_in_two_is_one() {
        let text = "\
23913 read(7<socket:[4061123]>,  <unfinished ...>
23951 unshare(CLONE_NEWNS|CLONE_NEWUTS) = 0
23951 clone(child_stack=0x7ffd5ab7e520, flags=CLONE_PARENT|SIGCHLD <unfinished ...>
23913 <... read resumed>\"B\\0\\0\\0\", 4)   = 4
23951 <... clone resumed>)              = 23952
23952 setsid( <unfinished ...>
23952 <... setsid resumed>)             = 1
";
        let calls = parse(text);
        let said: Vec<_> =
            calls.iter().map(|call| format!("{}({})={}", call.name, call.arguments, call.result)).collect();
        assert_eq!(
            said,
            [
                r#"read(7<socket:[4061123]>, "B\0\0\0", 4)=4"#,
                "unshare(CLONE_NEWNS|CLONE_NEWUTS)=0",
                "clone(child_stack=0x7ffd5ab7e520, flags=CLONE_PARENT|SIGCHLD)=23952",
                "setsid()=1",
            ]
        );
        assert!(calls[2].gives_birth() && !calls[2].is_of_a_thread());
    }

    #[test]
    fn signals_and_ends_are_no_calls() {
        let text = "\
23906 --- SIGCHLD {si_signo=SIGCHLD, si_code=CLD_EXITED, si_pid=23951, si_uid=0, si_status=0, si_utime=0, si_stime=0} ---
23951 +++ exited with 0 +++
9 exit_group(0)                     = ?
9 <... futex resumed>)              = ?
";
        let calls = parse(text);
        assert_eq!(calls.len(), 1, "{calls:?}");
        assert_eq!((calls[0].name.as_str(), calls[0].succeeded()), ("exit_group", false));
    }

    #[test]
    fn an_execve_of_another_thread_is_the_first_ones() {
        let text = "\
22655 futex(0xc000080148, FUTEX_WAIT_PRIVATE, 0, NULL <unfinished ...>
22659 execve(\"/bin/sleep\", [\"/bin/sleep\", \"1000\"], 0xc0000248a0 /* 3 vars */ <unfinished ...>
22656 <... nanosleep resumed> <unfinished ...>) = ?
22655 <... futex resumed>)              = ?
22655 +++ superseded by execve in pid 22659 +++
22655 <... execve resumed>)             = 0
";
        let calls = parse(text);
        assert_eq!(calls.len(), 2, "{calls:?}");
        assert_eq!((calls[1].name.as_str(), calls[1].thread), ("execve", 22655));
        assert!(calls[1].succeeded() && !calls[0].succeeded());
    }

    #[test]
    fn a_call_that_nobody_finished_did_not_succeed() {
        let call = one("23897 futex(0xc00013e148, FUTEX_WAIT_PRIVATE, 0, NULL <unfinished ...>\n");
        assert_eq!(call.result, "?");
        assert!(!call.succeeded());
    }

    #[test]
    fn go_makes_threads() {
        let call = one(
            "23897 clone3({flags=CLONE_VM|CLONE_FS|CLONE_FILES|CLONE_SIGHAND|CLONE_THREAD|CLONE_SYSVSEM|CLONE_SETTLS|\
             CLONE_PARENT_SETTID|CLONE_CHILD_CLEARTID, child_tid=0x7f5e188ee990, parent_tid=0x7f5e188ee990, \
             exit_signal=0, stack=0x7f5e180ee000, stack_size=0x7fff80, tls=0x7f5e188ee6c0} => {parent_tid=[23900]}, 88) \
             = 23900",
        );
        assert!(call.gives_birth() && call.is_of_a_thread());
    }
}
