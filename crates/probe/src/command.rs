//! The command line.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use nix::sys::signal::{SigSet, Signal};

use crate::supervise::Answer;

/// What stands on stderr where the command line has another form.
pub(crate) const USAGE: &str = "\
usage: probe [ACTION [ARG...]]

Reports the world it sees as one line of JSON. With an action it does one thing first and reports that as `did`.

  exit N              report, then exit with status N
  die SIGNAL          report, then kill itself by that signal; exit 99 where it did not kill
  hold                report, then wait until stdin is at its end
  wait-signal SIG...  report with these blocked, wait for one, print it on a second line
  orphan [N]          leave N orphans (1) that end together: does PID 1 reap them within 2 s?
  write PATH TEXT     make or overwrite a file
  note PATH [NAME]    read stdin to its end, add it with the name and the report to a file, as a line of JSON
  open PATH           open a file and tell how it begins
  mkdir PATH          make a directory
  list PATH           tell what is in a directory
  stat PATH...        tell of files, of what is there; symbolic links are told of, not followed
  bind SOURCE TARGET  mount a file or directory, with all mounts below it, at a second place
  mount TYPE TARGET   mount a file system
  fork N              have N children at once
  alloc MB            write to that many megabytes of memory
  hog MB              have a child do that, tell how it ended, then wait until stdin is at its end
  syscall NR [ARG...] make a system call by number, with up to six numbers
  syscall32 NR [ARG...]
                      the same by i386's numbers and int 0x80, with up to five
  supervise SOCKET ANSWER
                      decide on the calls of seccomp filters that send their listener: with an errno, or
                      `continue`, until stdin is at its end; a line for each message and each call
  escape CANARY       the classic escape from a chroot: try to read that file outside
  sleep SECONDS       sleep, then report
  spin SECONDS        report, then compute for that long
  count PATH          count ten times a second, and write each number to a file
";

/// What the probe is asked for.
pub(crate) enum Command {
    Report,
    Help,
    Exit(u8),
    Die(Signal),
    Hold,
    WaitSignal(SigSet),
    Orphan(u32),
    Write(PathBuf, OsString),
    Note(PathBuf, String),
    Open(PathBuf),
    Mkdir(PathBuf),
    List(PathBuf),
    Stat(Vec<PathBuf>),
    Bind(PathBuf, PathBuf),
    Mount(String, PathBuf),
    Fork(u64),
    Alloc(usize),
    Hog(usize),
    Syscall(i64, [i64; 6]),
    Syscall32(i64, [i64; 6]),
    Supervise(PathBuf, Answer),
    Escape(PathBuf),
    Sleep(Duration),
    Spin(Duration),
    Count(PathBuf),
}

impl Command {
    /// Reads the arguments after the program's name; `None` if they have not the form of [`USAGE`].
    pub(crate) fn parse(args: &[OsString]) -> Option<Command> {
        let Some((action, args)) = args.split_first() else { return Some(Command::Report) };
        Some(match (action.to_str()?, args) {
            ("--help" | "-h", []) => Command::Help,
            ("exit", [status]) => Command::Exit(parse(status)?),
            ("die", [name]) => Command::Die(signal(name)?),
            ("hold", []) => Command::Hold,
            ("wait-signal", names @ [_, ..]) => Command::WaitSignal(signals(names)?),
            ("orphan", []) => Command::Orphan(1),
            ("orphan", [count]) => Command::Orphan(parse(count)?),
            ("write", [path, text]) => Command::Write(path.into(), text.clone()),
            ("note", [path]) => Command::Note(path.into(), String::new()),
            ("note", [path, name]) => Command::Note(path.into(), parse(name)?),
            ("open", [path]) => Command::Open(path.into()),
            ("mkdir", [path]) => Command::Mkdir(path.into()),
            ("list", [path]) => Command::List(path.into()),
            ("stat", paths @ [_, ..]) => Command::Stat(paths.iter().map(PathBuf::from).collect()),
            ("bind", [source, target]) => Command::Bind(source.into(), target.into()),
            ("mount", [fstype, target]) => Command::Mount(parse(fstype)?, target.into()),
            ("fork", [count]) => Command::Fork(parse(count)?),
            ("alloc", [megabytes]) => Command::Alloc(parse(megabytes)?),
            ("hog", [megabytes]) => Command::Hog(parse(megabytes)?),
            ("syscall", [number, args @ ..]) => Command::Syscall(integer(number)?, integers(args)?),
            ("syscall32", [number, args @ ..]) => Command::Syscall32(integer(number)?, integers(args)?),
            ("supervise", [socket, answer]) => Command::Supervise(
                socket.into(),
                if answer == "continue" { Answer::Continue } else { Answer::Errno(parse(answer)?) },
            ),
            ("escape", [canary]) => Command::Escape(canary.into()),
            ("sleep", [seconds]) => Command::Sleep(Duration::try_from_secs_f64(parse(seconds)?).ok()?),
            ("spin", [seconds]) => Command::Spin(Duration::try_from_secs_f64(parse(seconds)?).ok()?),
            ("count", [path]) => Command::Count(path.into()),
            _ => return None,
        })
    }
}

fn parse<T: FromStr>(text: &OsStr) -> Option<T> {
    text.to_str()?.parse().ok()
}

/// `SIGTERM`, `TERM` or `15`.
fn signal(name: &OsStr) -> Option<Signal> {
    let name = name.to_str()?;
    let by_number = || Signal::try_from(name.parse::<i32>().ok()?).ok();
    name.parse().ok().or_else(|| format!("SIG{name}").parse().ok()).or_else(by_number)
}

fn signals(names: &[OsString]) -> Option<SigSet> {
    let set: SigSet = names.iter().map(|name| signal(name)).collect::<Option<_>>()?;
    // Nobody can wait for these two.
    (!set.contains(Signal::SIGKILL) && !set.contains(Signal::SIGSTOP)).then_some(set)
}

/// Decimal or `0x` hexadecimal; a value above `i64::MAX` stands for its bits.
fn integer(text: &OsStr) -> Option<i64> {
    let text = str::from_utf8(text.as_bytes()).ok()?;
    match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16).ok().map(u64::cast_signed),
        None => text.parse().ok(),
    }
}

fn integers(args: &[OsString]) -> Option<[i64; 6]> {
    let mut values = [0; 6];
    if args.len() > values.len() {
        return None;
    }
    for (value, arg) in values.iter_mut().zip(args) {
        *value = integer(arg)?;
    }
    Some(values)
}
