//! config.md, "Hostname", "Domainname" and "Annotations". Row O-18.

use serde_json::{Value, json};
use testkit::Test;

use super::common::{Bundle, Finish, Leaks, text};

pub(crate) const TESTS: &[Test] = testkit::tests! {
    o18_hostname_is_the_one_of_the_config(userns),
    o18_domainname_is_the_one_of_the_config(userns),
    o18_a_name_is_none_of_the_hosts(userns),
    o18_names_need_a_uts_namespace(userns),
    o18_a_name_that_the_kernel_does_not_take_is_refused(userns),
    o18_annotations_are_in_the_state(userns),
    o18_annotations_that_nobody_knows_are_no_error(userns),
    o18_a_container_needs_no_annotations(userns),
    o18_an_annotation_that_is_no_text_is_refused(userns),
    o18_an_annotation_without_a_key_is_refused(userns),
};

/// Runs what `change` makes of the config, and it is refused: nothing is left.
#[track_caller]
fn is_refused(change: impl FnOnce(&mut Value)) {
    let (bundle, mut config) = (Bundle::new(), Bundle::config());
    change(&mut config);
    let mut run = bundle.write(&config).command(&[], bundle.id());
    let leaks = Leaks::watch(&mut run, bundle.id());
    let output = run.finish();
    assert_eq!((output.status.code(), text(&output.stdout)), (Some(1), String::new()));
    leaks.assert_none(&bundle, "refused");
}

/// "hostname: the container's hostname as seen by processes running inside the container."
fn o18_hostname_is_the_one_of_the_config() {
    let bundle = Bundle::new();
    let mut config = Bundle::config();
    config["hostname"] = json!("coracle");
    assert_eq!(bundle.write(&config).report().hostname, "coracle");
}

/// "domainname: the container's domainname as seen by processes running inside the container."
fn o18_domainname_is_the_one_of_the_config() {
    let bundle = Bundle::new();
    let mut config = Bundle::config();
    config["domainname"] = json!("example.org");
    assert_eq!(bundle.write(&config).report().domainname, "example.org");
}

/// "this will change the hostname in the container UTS namespace": there, and nowhere else.
fn o18_a_name_is_none_of_the_hosts() {
    let host = || nix::unistd::gethostname().expect("a hostname");
    let (before, bundle) = (host(), Bundle::new());
    let mut config = Bundle::config();
    config["hostname"] = json!("coracle");
    bundle.write(&config).create(bundle.id());
    assert_eq!(host(), before);
}

/// Without one of its own it would be the host that gets a new name: runc refuses that, and so do we.
fn o18_names_need_a_uts_namespace() {
    for name in ["hostname", "domainname"] {
        is_refused(|config| {
            let list = config["linux"]["namespaces"].as_array_mut().expect("a list");
            list.retain(|one| one["type"] != "uts");
            config.as_object_mut().expect("an object").remove("hostname");
            // A name that the host can bear, should it get one.
            let own = nix::unistd::gethostname().expect("a hostname").to_string_lossy().into_owned();
            config[name] = json!(if name == "hostname" { own } else { "(none)".into() });
        });
    }
}

/// sethostname(2): 64 bytes.
fn o18_a_name_that_the_kernel_does_not_take_is_refused() {
    for name in ["hostname", "domainname"] {
        is_refused(|config| config[name] = json!("x".repeat(65)));
    }
}

/// runtime.md, "State": annotations are those of the container.
fn o18_annotations_are_in_the_state() {
    let bundle = Bundle::new();
    let mut config = Bundle::config();
    config["annotations"] = json!({ "org.example.boat": "round", "org.example.empty": "" });
    bundle.write(&config).create(bundle.id());
    let annotations = &bundle.state_of(bundle.id())["annotations"];
    assert_eq!(*annotations, json!({ "org.example.boat": "round", "org.example.empty": "" }));
}

/// "Implementations that are reading/processing this configuration file MUST NOT generate an error if they encounter an
/// unknown annotation key."
fn o18_annotations_that_nobody_knows_are_no_error() {
    let bundle = Bundle::new();
    let mut config = Bundle::config();
    config["annotations"] = json!({ "org.opencontainers.nobody": "knows", "no dots": "", "ÄÖÜ": "…" });
    bundle.write(&config).report();
}

/// "If there are no annotations then this property MAY either be absent or an empty map."
fn o18_a_container_needs_no_annotations() {
    for none in [json!({}), Value::Null] {
        let bundle = Bundle::new();
        let mut config = Bundle::config();
        config["annotations"] = none;
        bundle.write(&config).report();
    }
}

/// "Values MUST be strings."
fn o18_an_annotation_that_is_no_text_is_refused() {
    for value in [json!(7), json!(true), json!(["x"]), json!({ "x": "y" })] {
        is_refused(|config| config["annotations"] = json!({ "org.example.boat": value }));
    }
}

/// "Keys MUST NOT be an empty string."
fn o18_an_annotation_without_a_key_is_refused() {
    is_refused(|config| config["annotations"] = json!({ "": "round" }));
}
