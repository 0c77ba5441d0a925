//! config-linux.md, "Network Devices". Row O-22.

use std::process::Command;

use nix::sched::{CloneFlags, unshare};
use serde_json::{Value, json};
use testkit::Test;

use super::common::{Bundle, text};
use super::running::refused;

pub(crate) const TESTS: &[Test] = testkit::tests! {
    o22_lo_is_up_in_a_new_network_namespace(userns),
    o22_lo_of_a_joined_network_namespace_is_left_alone(root),
    o22_a_device_is_moved(root, veth),
    o22_a_device_gets_its_name(root, veth),
    o22_a_template_gets_a_free_number(root, veth),
    o22_a_device_is_moved_into_a_joined_namespace(root, veth),
    o22_a_device_is_moved_into_a_user_namespaces_network(root, veth),
    o22_lasting_addresses_go_with_it(root, veth),
    o22_what_the_kernel_says_of_it_stays(root, veth, nsenter),
    o22_a_device_that_is_down_is_brought_up(root, veth),
    o22_it_is_not_moved_back(root, veth),
    o22_a_name_that_is_taken_is_refused(root, veth),
    o22_two_devices_of_one_name_are_refused(root, veth),
    o22_a_device_that_is_not_there_is_refused(root, veth),
    o22_a_device_that_cannot_be_moved_is_refused(root, veth),
    o22_a_name_that_no_device_can_have_is_refused(root, veth),
    o22_devices_need_a_network_namespace(root, veth),
    o22_what_fails_gives_its_devices_back(root, veth),
};

/// Does `test` in a network namespace of its own, which has a pair of devices: `one` and `other`, with one up. The thread's
/// children are there as well.
fn apart(test: impl FnOnce() + Send) {
    let done = std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            unshare(CloneFlags::CLONE_NEWNET).expect("a network namespace");
            ip("link add one type veth peer name other");
            ip("link set one up");
            test();
        });
        thread.join()
    });
    done.unwrap_or_else(|payload| std::panic::resume_unwind(payload));
}

/// ip(8), which must succeed. Returns what it says.
#[track_caller]
fn ip(words: &str) -> String {
    let output = Command::new("ip").args(words.split(' ')).output().expect("ip starts");
    assert!(output.status.success(), "ip {words}: {}", text(&output.stderr));
    text(&output.stdout)
}

/// Whether the device is in the network namespace of this thread.
fn is_here(name: &str) -> bool {
    let output = Command::new("ip").args(["link", "show", "dev", name]).output().expect("ip starts");
    output.status.success()
}

fn config(devices: &Value) -> Value {
    let mut config = Bundle::config();
    config["linux"]["netDevices"] = devices.clone();
    config
}

/// Makes the config join the network namespace of `path` ([`beside`]).
fn joining(config: &mut Value, path: &str) {
    let list = config["linux"]["namespaces"].as_array_mut().expect("a list");
    list.iter_mut().filter(|one| one["type"] == "network").for_each(|one| one["path"] = json!(path));
}

/// Does `test` while there is one more network namespace: the path to it is handed to it.
fn beside(test: impl FnOnce(&str)) {
    // It ends with the program that waits for its input.
    let mut other = Command::new("unshare")
        .args(["--net", "sh", "-c", "echo; read line"])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("unshare starts");
    let mut said = [0];
    std::io::Read::read_exact(other.stdout.as_mut().expect("a pipe"), &mut said).expect("it is there");
    let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        test(&format!("/proc/{}/ns/net", other.id()));
    }));
    drop(other.stdin.take());
    other.wait().expect("it ends");
    done.unwrap_or_else(|payload| std::panic::resume_unwind(payload));
}

/// The config is refused, and the device is where it was, as it was.
#[track_caller]
fn is_refused(config: &Value) -> String {
    ip("addr add 192.0.2.7/24 dev one");
    let before = ip("-o addr show dev one");
    let said = refused(config);
    assert!(is_here("one"), "the device is gone: {said}");
    // Its number and its addresses; how long a tentative one is that, nobody says.
    let addresses = |text: &str| -> Vec<String> {
        let words = text.lines().filter_map(|line| line.split_whitespace().nth(3).map(str::to_owned));
        words.filter(|address| !address.starts_with("fe80:")).collect()
    };
    assert_eq!(addresses(&ip("-o addr show dev one")), addresses(&before));
    assert!(ip("link show dev one").contains(",UP") || ip("link show dev one").contains("UP,"));
    said
}

/// runc brings it up, and programs count on it: no section says so.
fn o22_lo_is_up_in_a_new_network_namespace() {
    let bundle = Bundle::new();
    let links = bundle.write(&Bundle::config()).report().links;
    assert_eq!(links.keys().collect::<Vec<_>>(), ["lo"]);
    assert!(links["lo"].up, "lo is down");
}

/// Whoever made the namespace has set it up.
fn o22_lo_of_a_joined_network_namespace_is_left_alone() {
    beside(|path| {
        let mut config = Bundle::config();
        joining(&mut config, path);
        let bundle = Bundle::new();
        assert!(!bundle.write(&config).report().links["lo"].up, "lo is up");
    });
}

/// "A set of network devices that MUST be made available in the container."
fn o22_a_device_is_moved() {
    apart(|| {
        let bundle = Bundle::new();
        bundle.write(&config(&json!({ "one": {} }))).create(bundle.id());
        assert!(!is_here("one"), "the device is still outside");
        let bundle = Bundle::new();
        let links = bundle.write(&config(&json!({ "other": null }))).report().links;
        assert_eq!(links.keys().collect::<Vec<_>>(), ["lo", "other"]);
    });
}

/// "name: the name of the network device inside the container namespace."
fn o22_a_device_gets_its_name() {
    apart(|| {
        let bundle = Bundle::new();
        let links = bundle.write(&config(&json!({ "one": { "name": "eth0" } }))).report().links;
        assert_eq!(links.keys().collect::<Vec<_>>(), ["eth0", "lo"]);
    });
}

/// "unless the user has provided a template by appending %d to the new name."
fn o22_a_template_gets_a_free_number() {
    apart(|| {
        let bundle = Bundle::new();
        let devices = json!({ "one": { "name": "net%d" }, "other": { "name": "net%d" } });
        let links = bundle.write(&config(&devices)).report().links;
        assert_eq!(links.keys().collect::<Vec<_>>(), ["lo", "net0", "net1"]);
    });
}

/// The same of a namespace with a path.
fn o22_a_device_is_moved_into_a_joined_namespace() {
    apart(|| {
        beside(|path| {
            let mut config = config(&json!({ "one": { "name": "eth0" } }));
            joining(&mut config, path);
            let bundle = Bundle::new();
            let links = bundle.write(&config).report().links;
            assert_eq!(links.keys().collect::<Vec<_>>(), ["eth0", "lo"]);
        });
    });
}

/// The same of one that belongs to a user namespace: its root may take no device of the host's.
fn o22_a_device_is_moved_into_a_user_namespaces_network() {
    apart(|| {
        let mut config = config(&json!({ "one": { "name": "eth0" } }));
        config["linux"]["namespaces"].as_array_mut().expect("a list").push(json!({ "type": "user" }));
        for mappings in ["uidMappings", "gidMappings"] {
            config["linux"][mappings] = json!([{ "containerID": 0, "hostID": 0, "size": 1 }]);
        }
        ip("addr add 192.0.2.7/24 dev one");
        let bundle = Bundle::new();
        let links = bundle.write(&config).report().links;
        assert!(links["eth0"].up && links["eth0"].addresses.contains(&"192.0.2.7/24".into()), "{links:?}");
    });
}

/// "all permanent IP addresses (IFA_F_PERMANENT flag) of any family with global scope (RT_SCOPE_UNIVERSE value)".
fn o22_lasting_addresses_go_with_it() {
    apart(|| {
        for address in ["192.0.2.7/24", "198.51.100.1/32", "2001:db8::7/64"] {
            ip(&format!("addr add {address} dev one"));
        }
        ip("addr add 169.254.7.7/16 scope link dev one");
        ip("addr add 203.0.113.9/24 valid_lft 1000 preferred_lft 1000 dev one");
        let bundle = Bundle::new();
        let links = bundle.write(&config(&json!({ "one": { "name": "eth0" } }))).report().links;
        let mut addresses = links["eth0"].addresses.clone();
        // The kernel's own, of the link that is up.
        addresses.retain(|address| !address.starts_with("fe80:"));
        assert_eq!(addresses, ["192.0.2.7/24", "198.51.100.1/32", "2001:db8::7/64"]);
    });
}

/// "The runtime MUST preserve existing network interface attributes".
fn o22_what_the_kernel_says_of_it_stays() {
    apart(|| {
        ip("link set one mtu 1234 address 02:00:00:00:00:07 alias boat");
        let bundle = Bundle::new();
        bundle.write(&config(&json!({ "one": {} }))).create(bundle.id());
        let pid = bundle.state_of(bundle.id())["pid"].to_string();
        let mut inside = Command::new("nsenter");
        inside.args(["--target", &pid, "--net", "ip", "link", "show", "dev", "one"]);
        let told = text(&inside.output().expect("nsenter starts").stdout);
        for part in ["mtu 1234", "02:00:00:00:00:07", "alias boat"] {
            assert!(told.contains(part), "{part}: {told}");
        }
    });
}

/// "The runtime MUST set the network device state to "up" after moving it".
fn o22_a_device_that_is_down_is_brought_up() {
    apart(|| {
        let bundle = Bundle::new();
        let links = bundle.write(&config(&json!({ "other": {} }))).report().links;
        assert!(links["other"].up, "{links:?}");
    });
}

/// "The runtime MUST NOT attempt to move the interface out of the namespace before deletion."
fn o22_it_is_not_moved_back() {
    apart(|| {
        beside(|path| {
            let mut config = config(&json!({ "one": { "name": "eth0" } }));
            joining(&mut config, path);
            let bundle = Bundle::new();
            bundle.write(&config).report();
            assert!(!is_here("one") && !is_here("eth0"), "it was moved back");
        });
    });
}

/// "If a network device with the specified name already exists in the container namespace, the runtime MUST generate an
/// error".
fn o22_a_name_that_is_taken_is_refused() {
    apart(|| drop(is_refused(&config(&json!({ "one": { "name": "lo" } })))));
}

/// The same of two that come together.
fn o22_two_devices_of_one_name_are_refused() {
    apart(|| drop(is_refused(&config(&json!({ "one": { "name": "eth0" }, "other": { "name": "eth0" } })))));
}

/// "The runtime MUST check if moving the network interface to the container namespace is possible."
fn o22_a_device_that_is_not_there_is_refused() {
    apart(|| drop(is_refused(&config(&json!({ "one": {}, "wing0": {} })))));
}

/// The same of one that the kernel keeps in its namespace.
fn o22_a_device_that_cannot_be_moved_is_refused() {
    apart(|| drop(is_refused(&config(&json!({ "lo": { "name": "lo7" }, "one": {} })))));
}

/// The same of what is no name.
fn o22_a_name_that_no_device_can_have_is_refused() {
    for name in ["longer-than-15-bytes", "a/b", "a b", "a:b", "..", "a%s", "a%d%d", "%"] {
        apart(|| drop(is_refused(&config(&json!({ "one": { "name": name } })))));
    }
}

/// Without one of its own, there is nowhere to move it.
fn o22_devices_need_a_network_namespace() {
    apart(|| {
        let mut config = config(&json!({ "one": { "name": "eth0" } }));
        config["linux"]["namespaces"].as_array_mut().expect("a list").retain(|one| one["type"] != "network");
        let said = is_refused(&config);
        assert!(said.contains("unable to move network devices without a NET namespace"), "{said}");
    });
}

/// runtime.md, "Create": what fails leaves nothing behind. The first is moved when the second's turn comes, and all of them
/// when the mounts'.
fn o22_what_fails_gives_its_devices_back() {
    apart(|| {
        let mut config = config(&json!({ "one": { "name": "eth0" }, "other": {} }));
        let mounts = config["mounts"].as_array_mut().expect("a list");
        mounts.push(json!({ "destination": "/tmp", "type": "nosuchfs", "source": "none" }));
        is_refused(&config);
        assert!(is_here("other"), "the other is gone");
        assert!(ip("-o link show dev one").contains("one@other"), "they are no pair any more");
    });
}
