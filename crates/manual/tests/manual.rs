//! Every verb has its page, and every shell its completions.

use std::fs;
use std::path::Path;

use assert_cmd::cargo::cargo_bin_cmd;

#[test]
fn pages_and_completions_are_written_where_they_are_looked_for() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    cargo_bin_cmd!("manual").arg(folder.path()).assert().success().stdout("").stderr("");
    let has = |path: &str, words: &str| {
        let text = fs::read_to_string(folder.path().join(Path::new(path))).unwrap_or_default();
        assert!(text.contains(words), "{path}: {words:?} is not in {text:?}");
    };
    has("man/man8/coracle.8", "An OCI container runtime");
    has("man/man8/coracle-run.8", "coracle run");
    has("man/man8/oci-tool-join.8", "oci\\-tool join");
    has("man/man8/ns-runtime-start.8", "\\-\\-attach");
    has("bash-completion/completions/coracle.bash", "run");
    has("zsh/site-functions/_coracle", "#compdef coracle");
    has("fish/vendor_completions.d/oci-tool.fish", "complete -c oci-tool");
}
