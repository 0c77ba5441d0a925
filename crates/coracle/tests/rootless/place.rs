//! Where the containers' directories are.

use std::os::unix::fs::PermissionsExt;

use nix::unistd::geteuid;

use crate::user::{User, must_fail};

/// Each row: who calls, the runtime directory, and where a container is looked for.
pub(crate) fn o31_containers_are_where_the_user_may_write() {
    let user = User::new();
    let (program, run) =
        (user.program().display().to_string(), user.path().join("run").display().to_string());
    let (theirs, shared) = (format!("in {run}/coracle:"), format!("in /tmp/coracle-{}:", User::ids().0));
    let root: &[&str] = &["unshare", "--user", "--map-root-user"];
    for (before, directory, place) in [
        (&[] as &[&str], Some(run.as_str()), theirs.as_str()),
        (&[], None, &shared),
        // "Paths set in these environment variables must be absolute" (XDG Base Directory Specification).
        (&[], Some("run"), &shared),
        (&[], Some(""), &shared),
        // An engine's own user namespace: /run is the host's.
        (root, Some(&run), &theirs),
        (root, None, "in /run/coracle:"),
    ] {
        let words = [before, &[&program, "state", "nobodys"]].concat();
        let mut command = user.command(&[], &words);
        if let Some(directory) = directory {
            command.env("XDG_RUNTIME_DIR", directory);
        }
        must_fail(command, &[place]);
    }
    if geteuid().is_root() {
        let mut command = std::process::Command::new(program);
        command.args(["state", "nobodys"]).env("XDG_RUNTIME_DIR", run);
        must_fail(command, &["in /run/coracle:"]);
    }
}

pub(crate) fn o31_a_place_that_cannot_be_used_comes_with_a_cure() {
    let user = User::new();
    user.0.write(&user.config(&[]));
    let cure = "--root DIR before the verb";
    let program = user.program().display().to_string();
    for directory in ["/proc/nowhere", "/proc/version", "/proc"] {
        let mut command = user.command(&[], &[&program, "run", user.id()]);
        command.env("XDG_RUNTIME_DIR", directory);
        must_fail(command, &[directory, cure]);
    }
    std::fs::set_permissions(user.state(), PermissionsExt::from_mode(0o000)).expect("it is ours");
    must_fail(user.coracle(&["list"]), &["permission denied", cure]);
    // It is to be removed.
    std::fs::set_permissions(user.state(), PermissionsExt::from_mode(0o700)).expect("it is ours");
}
