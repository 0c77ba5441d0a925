//! config-linux.md, "Mount Label". Of row O-16.

use serde_json::json;
use testkit::Test;

use super::harbour::{Bundle, tmpfs};

pub(crate) const TESTS: &[Test] = testkit::tests! {
    o16_mount_label_is_the_context_of_new_file_systems(root, selinux),
    o16_a_mount_label_where_selinux_does_not_run_is_an_error(userns, no_selinux),
};

const LABEL: &str = "system_u:object_r:svirt_sandbox_file_t:s0:c715,c811";

/// What cannot be applied MUST be an error (runtime.md, "Create").
fn o16_a_mount_label_where_selinux_does_not_run_is_an_error() {
    let mut config = Bundle::config(&[], &[]);
    config["linux"]["mountLabel"] = json!(LABEL);
    Bundle::new().must_fail(&config, "/linux/mountLabel: needs SELinux");
}

/// "will set the Selinux context for the mounts in the container."
fn o16_mount_label_is_the_context_of_new_file_systems() {
    let bundle = Bundle::new();
    let mounts = [
        tmpfs("/dev", &["mode=755"]),
        tmpfs("/own", &["context=\"system_u:object_r:svirt_sandbox_file_t:s0\""]),
        bundle.bind("host", "/data", &["rbind"]),
        json!({ "destination": "/sys", "type": "sysfs", "source": "sysfs" }),
    ];
    let mut config = Bundle::config(&mounts, &[]);
    config["linux"]["mountLabel"] = json!(LABEL);
    let report = bundle.0.write(&config).report();
    // A label with commas is shown in quotes, which are no commas between options.
    let context = |place: &str| {
        let options = report.mount_at(place).expect("a mount").super_options.join(",");
        let (_, label) = options.split_once(",context=")?;
        let end = if label.starts_with('"') { '"' } else { ',' };
        Some(label.trim_start_matches('"').split(end).next()?.to_owned())
    };
    assert_eq!(context("/dev").as_deref(), Some(LABEL));
    assert_eq!(context("/own").as_deref(), Some("system_u:object_r:svirt_sandbox_file_t:s0"));
    assert_eq!((context("/data"), context("/sys"), context("/proc")), (None, None, None));
}
