//! config.md, "Hostname", "Domainname" and "Annotations". Row O-18.

use serde_json::json;
use testkit::Test;

use super::common::Bundle;

pub(crate) const TESTS: &[Test] = testkit::tests! {
    o18_hostname_is_the_one_of_the_config(userns),
    o18_annotations_are_in_the_state(userns),
};

/// "hostname: the container's hostname as seen by processes running inside the container."
fn o18_hostname_is_the_one_of_the_config() {
    let bundle = Bundle::new();
    let mut config = Bundle::config();
    config["hostname"] = json!("coracle");
    assert_eq!(bundle.write(&config).report().hostname, "coracle");
}

/// runtime.md, "State": annotations are those of the container.
fn o18_annotations_are_in_the_state() {
    let bundle = Bundle::new();
    let mut config = Bundle::config();
    config["annotations"] = json!({ "org.example.boat": "round" });
    bundle.write(&config).create(bundle.id());
    assert_eq!(bundle.state_of(bundle.id())["annotations"]["org.example.boat"], "round");
}
