//! `cargo lesson watch`, in a terminal and without one.

mod mini;

use std::fs::File;
use std::io::{Read, Write};
use std::process::{Child, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use mini::Mini;
use nix::pty::{Winsize, openpty};
use nix::sys::signal::{Signal, kill};
use nix::sys::termios::{LocalFlags, tcgetattr};
use nix::unistd::Pid;

const BOAT: &str = "crates/coracle/src/boat.rs";
/// A run compiles a small program; on a busy machine that takes its time.
const PATIENCE: Duration = Duration::from_secs(120);

/// A watch under way, and what it has printed.
struct Watch {
    child: Child,
    pieces: Receiver<String>,
    text: String,
}

impl Watch {
    fn new(child: Child, mut from: impl Read + Send + 'static) -> Self {
        let (send, pieces) = mpsc::channel();
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            // A terminal whose other end is closed fails to read: the end as well.
            while let Ok(count @ 1..) = from.read(&mut buffer) {
                let _ = send.send(String::from_utf8_lossy(&buffer[..count]).into_owned());
            }
        });
        Self { child, pieces, text: String::new() }
    }

    /// Waits until `words` are printed, and forgets all up to their end.
    #[track_caller]
    fn until(&mut self, words: &str) -> String {
        let end = Instant::now() + PATIENCE;
        loop {
            if let Some(start) = self.text.find(words) {
                let rest = self.text.split_off(start + words.len());
                return std::mem::replace(&mut self.text, rest);
            }
            match self.pieces.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(piece) => self.text += &piece,
                Err(_) => panic!("{words:?} was not printed, but {}", self.text),
            }
        }
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id().cast_signed())
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn without_a_terminal_each_run_is_a_block_of_plain_lines() {
    let mini = Mini::started();
    let mut child =
        mini.started_by(&["watch"]).stdin(Stdio::null()).stdout(Stdio::piped()).spawn().expect("it starts");
    let stdout = child.stdout.take().expect("a pipe");
    let mut watch = Watch::new(child, stdout);
    let first = watch.until("q leaves.\n");
    assert!(first.contains("lesson 01  [----------------]  0 of 2 functions, 0 of 2 tests\n"), "{first}");
    assert!(first.contains("  FAIL  a_boat_moves\n") && first.contains("the boat does not move"), "{first}");
    assert!(first.contains("  fail  a_boat_floats\n"), "{first}");
    assert!(first.contains("write  boat::row in crates/coracle/src/boat.rs:"), "{first}");
    assert!(first.contains("stuck? cargo lesson hint 1 row"), "{first}");

    mini.edit(BOAT, "    0\n", "    strokes * 2\n");
    let second = watch.until("q leaves.\n");
    assert!(second.contains("[########--------]  1 of 2 functions, 1 of 2 tests\n"), "{second}");
    assert!(second.contains("  FAIL  a_boat_floats\n") && second.contains("hint 1 sink"), "{second}");

    mini.edit(BOAT, "strokes * 2", "strokes * two");
    let third = watch.until("q leaves.\n");
    assert!(third.contains("no test could run") && third.contains("error[E0425]"), "{third}");
    assert!(
        third.contains("boat.rs:") && !third.contains("aborting due to"),
        "the first error alone: {third}"
    );

    mini.edit(BOAT, "strokes * two", "strokes * 2");
    mini.edit(BOAT, "    true\n", "    !true\n");
    // Two changes: one run or two.
    let fourth = watch.until("q leaves.\n");
    let last = if fourth.contains("Green.") { fourth } else { watch.until("q leaves.\n") };
    assert!(last.contains("[################]  2 of 2 functions, 2 of 2 tests"), "{last}");

    // Finished and green: the next change is one of the next lesson.
    mini.edit(BOAT, "    water\n", "    water - water.min(5)\n");
    let next = watch.until("q leaves.\n");
    assert!(next.contains("lesson 02  ") && next.contains("1 of 2 functions, 1 of 1 tests"), "{next}");
    assert!(!next.contains('\x1b'), "escapes outside of a terminal: {next:?}");

    kill(watch.pid(), Signal::SIGTERM).expect("a signal");
    assert!(watch.child.wait().expect("it ends").success());
    assert_eq!(mini.litter(), Vec::<std::path::PathBuf>::new(), "it leaves something behind");
}

#[test]
fn in_a_terminal_the_page_is_drawn_in_place_and_q_leaves_it_as_it_was() {
    for interrupt in [false, true] {
        let mini = Mini::started();
        let size = Winsize { ws_row: 12, ws_col: 72, ws_xpixel: 0, ws_ypixel: 0 };
        let pty = openpty(&size, None).expect("a terminal");
        let slave = || Stdio::from(pty.slave.try_clone().expect("a descriptor"));
        let mut command = mini.started_by(&["watch", "1"]);
        command.stdin(slave()).stdout(slave()).env("TERM", "xterm").env_remove("NO_COLOR");
        let child = command.spawn().expect("it starts");
        let mut master = File::from(pty.master);
        let mut watch = Watch::new(child, master.try_clone().expect("a descriptor"));
        watch.until("building ...");
        let until = watch.until("FAIL");
        let frame = until.rsplit("\x1b[H").next().expect("a frame").to_owned() + &watch.until("\x1b[J");
        assert!(frame.contains("\x1b[31m  FAIL  a_boat_moves\x1b[0m"), "{frame:?}");
        assert!(frame.lines().count() <= 12, "more lines than the screen has: {frame:?}");
        let plain =
            frame.replace("\x1b[31m", "").replace("\x1b[1m", "").replace("\x1b[0m", "").replace("\x1b[K", "");
        assert!(plain.lines().all(|line| line.chars().count() <= 72), "wider than the screen: {plain:?}");
        let settings = tcgetattr(&pty.slave).expect("a terminal");
        assert!(!settings.local_flags.contains(LocalFlags::ICANON), "a key arrives only with the line");

        mini.edit(BOAT, "    0\n", "    strokes * 2\n");
        watch.until("1 of 2 functions, 1 of 2 tests");
        match interrupt {
            false => master.write_all(b"q").expect("a key"),
            true => kill(watch.pid(), Signal::SIGINT).expect("a signal"),
        }
        let status = watch.child.wait().expect("it ends");
        assert!(status.success(), "{status}");
        let settings = tcgetattr(&pty.slave).expect("a terminal");
        assert!(
            settings.local_flags.contains(LocalFlags::ICANON | LocalFlags::ECHO),
            "the terminal is not as it was"
        );
    }
}

#[test]
fn a_child_of_the_watch_can_be_interrupted_by_the_terminal() {
    // The watch takes signals for itself; what it starts must not inherit that.
    let mini = Mini::started();
    mini.edit(
        "lessons/01-rowing/tests.rs",
        "fn a_boat_moves() {",
        "fn a_boat_moves() {\n    panic!(\"{}\", std::fs::read_to_string(\"/proc/self/status\").unwrap().replace('\\n', \" \"));\n}\n\n#[allow(dead_code)]\nfn moves() {",
    );
    let size = Winsize { ws_row: 24, ws_col: 4000, ws_xpixel: 0, ws_ypixel: 0 };
    let pty = openpty(&size, None).expect("a terminal");
    let slave = || Stdio::from(pty.slave.try_clone().expect("a descriptor"));
    let mut command = mini.started_by(&["watch", "1"]);
    let child = command.stdin(slave()).stdout(slave()).spawn().expect("it starts");
    let mut watch = Watch::new(child, File::from(pty.master));
    watch.until("FAIL");
    let verdicts = watch.until("SigIgn");
    assert!(verdicts.contains("SigBlk:\t0000000000000000"), "signals are blocked in a test: {verdicts}");
}
