//! The state machine, line by line of its table: each state is made, each command given, and what comes of it is compared.

use std::time::Duration;

use ns_runtime::machine::{Command, Outcome, State, TABLE};
use testkit::within;

use super::boat::{Boat, OBEDIENT};

/// A container in `state`.
fn brought_to(boat: &Boat, state: State) {
    if state == State::Unknown {
        return;
    }
    boat.create();
    if state != State::Created {
        boat.must(&["start", &boat.id]);
    }
    if state == State::Stopped {
        boat.kill_init();
    }
    assert_eq!(boat.state(), state.to_string());
}

pub(crate) fn s21_every_command_in_every_state_does_what_the_table_says() {
    let bundle = |boat: &Boat| format!("--bundle={}", boat.bundle());
    for (state, command, outcome) in TABLE {
        let line = format!("{command} of one that is {state}");
        let boat = Boat::sh(OBEDIENT);
        brought_to(&boat, state);
        let before = if state == State::Unknown { None } else { Some(boat.record()) };
        let said = match command {
            Command::Create => boat.call(&["create", &bundle(&boat), &boat.id]),
            Command::Start => boat.call(&["start", &boat.id]),
            Command::Run => boat.call(&["run", "--detach", &bundle(&boat), &boat.id]),
            Command::Exec => boat.call(&["exec", "--exec", "hostname", &boat.id]),
            Command::Delete => boat.call(&["delete", &boat.id]),
            Command::State => boat.call(&["state", &boat.id]),
        };
        let after = match outcome {
            Outcome::Becomes(after) => after,
            Outcome::Stays | Outcome::Refused(_) => state,
        };
        match outcome {
            // This one answers with a word, and not with an error.
            Outcome::Refused(_) if command == Command::State => {
                assert_eq!((said.code, said.out.as_str()), (Some(1), "unknown\n"), "{line}: {}", said.err);
            }
            Outcome::Refused(cure) => {
                said.is_error(&[
                    &format!("container '{}' is {state}", boat.id),
                    &cure.replace("ID", &boat.id),
                ]);
                let now = if state == State::Unknown { None } else { Some(boat.record()) };
                assert_eq!(now, before, "{line}: the record has changed");
            }
            Outcome::Becomes(_) | Outcome::Stays => assert_eq!(said.code, Some(0), "{line}: {}", said.err),
        }
        if command == Command::Exec && outcome == Outcome::Stays {
            assert_eq!(said.out, "boat\n", "{line}");
        }
        assert_eq!(boat.state(), after.to_string(), "{line}");
        if after == State::Unknown {
            boat.assert_gone();
        }
    }
}

/// No command does this; the end of PID 1 does.
pub(crate) fn s21_a_running_container_stops_when_its_pid_1_ends() {
    let boat = Boat::sh("read word </dev/null; sleep 0.1");
    boat.start();
    within(Duration::from_secs(5), "it is stopped", || boat.state() == "stopped");
    assert_eq!(boat.record()["status"], "stopped");
}
