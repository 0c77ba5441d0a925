//! More ids than one's own: newuidmap(1), newgidmap(1).

use serde_json::{Value, json};

use crate::user::{User, must, must_fail, read, words};

/// `before` a call: its ranges in /etc/subuid and /etc/subgid are these, for no other process.
pub(crate) fn with_ranges(user: &User, ranges: &str) -> Vec<String> {
    let file = user.path().join("ranges");
    std::fs::write(&file, ranges).expect("a file");
    let script = "mount --bind \"$0\" /etc/subuid && mount --bind \"$0\" /etc/subgid && exec \"$@\"";
    let file = file.display().to_string();
    ["unshare", "--mount", "sh", "-c", script, &file].map(str::to_owned).into()
}

pub(crate) fn strs(words: &[String]) -> Vec<&str> {
    words.iter().map(String::as_str).collect()
}

/// The user is root inside, and ten ids of a range are behind it.
fn with_a_range(user: &User) -> Value {
    let mut config = user.config(&["open", "/proc/self/uid_map"]);
    for name in ["uidMappings", "gidMappings"] {
        let list = config["linux"][name].as_array_mut().expect("a list");
        list.push(json!({ "containerID": 1, "hostID": 300_000, "size": 10 }));
    }
    config["process"]["user"] = json!({ "uid": 5, "gid": 6, "additionalGids": [7] });
    config
}

pub(crate) fn o31_ranges_of_ids_are_mapped_by_newuidmap() {
    let user = User::new();
    user.0.write(&with_a_range(&user));
    let before = with_ranges(&user, "nobody:300000:10\n");
    let report = read(&must(user.after(&strs(&before), &["run", user.id()])));
    assert_eq!(words(&report), ["0", &User::ids().0.to_string(), "1", "1", "300000", "10"]);
    assert_eq!((report.uid, report.gid, report.groups), (5, 6, vec![7]));
}

pub(crate) fn o31_ids_of_somebody_else_are_refused_with_the_cure() {
    let user = User::new();
    user.0.write(&with_a_range(&user));
    for ranges in ["", "nobody:300000:9\n", "root:300000:10\n"] {
        let before = with_ranges(&user, ranges);
        let cure = ["map the ids", "newgidmap", "/etc/subuid and /etc/subgid", "usermod --add-subuids"];
        must_fail(user.after(&strs(&before), &["run", user.id()]), &cure);
        assert_eq!(user.0.left(), Vec::<std::path::PathBuf>::new(), "{ranges}");
    }
}

pub(crate) fn o31_a_missing_newuidmap_is_named_with_its_package() {
    let user = User::new();
    user.0.write(&with_a_range(&user));
    let (program, state) = (user.program().display().to_string(), user.state().display().to_string());
    let words = ["env", "PATH=/nowhere", &program, "--root", &state, "run", user.id()];
    must_fail(user.command(&[], &words), &["run newgidmap", "called uidmap", "map only one's own id"]);
}
