//! The flags of `sandbox`.

use super::common::{Bundle, fresh_id};
use super::refused_command;

pub(crate) fn each_wrong_mount_of_a_sandbox_is_told() {
    let rows: [(&str, &[&str]); 12] = [
        ("", &["--mount", "destination is missing"]),
        ("type=tmpfs", &["--mount type=tmpfs: destination is missing"]),
        ("destination=/x", &["type is missing", "\"bind\""]),
        ("type=tmpfs,destination=/", &["destination must be below the root filesystem"]),
        ("type=tmpfs,destination=", &["destination must be below the root filesystem"]),
        ("type=bind,destination=/x", &["source is missing"]),
        ("type=tmpfs,dst=/x,target=/y", &["target is there twice"]),
        ("type=tmpfs,destination=/proc/sys", &["destination is inside of /proc"]),
        ("type=tmpfs,destination=/proc", &["type on /proc, must be proc"]),
        ("type=tmpfs,destination=/x,idmap", &["idmap needs mappings"]),
        ("type=tmpfs,destination=/x,bad=1", &["mount /x: option bad=1", "Unknown parameter 'bad'"]),
        ("type=bind,source=nowhere,destination=/x", &["/nowhere: no such file or directory (ENOENT)"]),
    ];
    for (mount, words) in rows {
        let bundle = Bundle::new();
        let mut command = bundle.coracle(&["sandbox", "--root"]);
        command.arg(bundle.path().join("rootfs")).args(["--mount", mount, "--", "/probe"]);
        refused_command(mount, &bundle, command, &fresh_id(), words);
    }
    for flag in ["--dev", "--mount=type=tmpfs,destination=/tmp"] {
        let bundle = Bundle::new();
        let output = bundle.call(&["sandbox", flag, "--", "/probe"]);
        let stderr = super::common::text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{flag}: {stderr}");
        assert!(stderr.contains("--root <DIR>"), "{flag}: {stderr}");
    }
}
