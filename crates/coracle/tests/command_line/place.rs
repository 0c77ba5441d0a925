//! Where the containers' directories are, where nobody says `--root`.

use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::process::Command;

use crate::common::{Bundle, text};

/// With the sticky bit: what has it is not cleared away for its age (XDG Base Directory Specification).
pub(crate) fn an_ordinary_users_containers_are_in_their_runtime_directory() {
    const NOBODY: u32 = 65534;
    let (bundle, theirs) = (Bundle::new(), tempfile::tempdir().expect("a directory"));
    bundle.args(&["/probe"]);
    for path in [bundle.path(), theirs.path()] {
        std::fs::set_permissions(path, PermissionsExt::from_mode(0o755)).expect("it is ours");
    }
    chown(theirs.path(), Some(NOBODY), Some(NOBODY)).expect("we are root");
    let program = theirs.path().join("program");
    let copied = Command::new("cp").arg(testkit::runtime()).arg(&program).status();
    assert!(copied.expect("cp starts").success(), "a copy that they may execute");
    let call = |words: &[&str]| {
        let mut call = Command::new(&program);
        call.args(words).env("XDG_RUNTIME_DIR", theirs.path()).uid(NOBODY).gid(NOBODY);
        call.output().expect("the runtime starts")
    };
    // Without a user namespace, which they would need, it comes as far as the container's directory.
    let run = call(&["run", "--bundle", &bundle.path().display().to_string(), bundle.id()]);
    assert_eq!(run.status.code(), Some(1), "{}", text(&run.stderr));
    let place = std::fs::metadata(theirs.path().join("coracle")).expect("their containers' directory");
    assert_eq!(place.permissions().mode() & 0o7777, 0o1700);
    let listed = call(&["list", "--quiet"]);
    assert_eq!(
        (text(&listed.stdout), text(&listed.stderr)),
        (String::new(), String::new()),
        "it has gone again"
    );
}
