//! What root of a user namespace may not mount.

use serde_json::{Value, json};

use crate::user::{User, must, must_fail, read, words};

/// The mount at `place`.
fn mount<'a>(config: &'a mut Value, place: &str) -> &'a mut Value {
    let all = config["mounts"].as_array_mut().expect("a list");
    all.iter_mut().find(|mount| mount["destination"] == place).expect("a mount of spec's")
}

fn without(config: &mut Value, namespace: &str) {
    let all = config["linux"]["namespaces"].as_array_mut().expect("a list");
    all.retain(|one| one["type"] != namespace);
}

/// Each row: a change to a config that runs, and the words of the cure.
pub(crate) fn o31_a_mount_that_a_user_namespace_may_not_have_comes_with_a_cure() {
    type Change = fn(&mut Value);
    let rows: [(Change, &[&str]); 4] = [
        (
            // As every config for root has it: 5 is the group tty.
            |config| {
                let options = mount(config, "/dev/pts")["options"].as_array_mut().expect("a list");
                options.push(json!("gid=5"));
            },
            &["mount /dev/pts", "gid=5", "leave it out, or map that id"],
        ),
        (
            |config| {
                *mount(config, "/sys") = json!({ "destination": "/sys", "type": "sysfs", "source": "sysfs" })
            },
            &["mount /sys", "its own network namespace"],
        ),
        (|config| without(config, "pid"), &["mount /proc", "its own pid namespace"]),
        (|config| without(config, "ipc"), &["mount /dev/mqueue", "its own ipc namespace"]),
    ];
    let user = User::new();
    for (change, cure) in rows {
        let mut config = user.config(&[]);
        change(&mut config);
        user.refused(&config, cure);
    }
}

/// "mount too revealing", as the kernel's log has it: most containers hide a part of /proc.
pub(crate) fn o31_a_proc_that_would_reveal_more_is_refused_with_the_cure() {
    let user = User::new();
    let hide = ["unshare", "--mount", "sh", "-c", "mount --bind /dev/null /proc/uptime && exec \"$@\"", "sh"];
    let run = |config: &Value| {
        user.0.write(config);
        user.after(&hide, &["run", user.id()])
    };
    let mut config = user.config(&["open", "/proc/uptime"]);
    assert!(words(&user.report(&config)).len() == 2, "where nothing is hidden, it is mounted");
    must_fail(run(&config), &["mount /proc", "hides a part", "bind that one (source /proc, option rbind)"]);
    *mount(&mut config, "/proc") =
        json!({ "destination": "/proc", "type": "none", "source": "/proc", "options": ["rbind"] });
    assert_eq!(words(&read(&must(run(&config)))), Vec::<String>::new(), "it is still hidden");
}
