//! Reads the kernel's and the system's own files. Text in, facts out.

use super::facts::Layout;

/// `Some((6, 8))` of "6.8.0-45-generic".
pub(super) fn version(release: &str) -> Option<(u32, u32)> {
    let mut parts = release.split(|c: char| !c.is_ascii_digit()).map(str::parse);
    Some((parts.next()?.ok()?, parts.next()?.ok()?))
}

/// A field of `/proc/self/status`.
pub(super) fn status_field<'a>(status: &'a str, name: &str) -> Option<&'a str> {
    status
        .lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(key, _)| *key == name)
        .map(|(_, v)| v.trim())
}

/// Whether the effective capabilities hold CAP_SYS_ADMIN, which spares a container the user namespace.
pub(super) fn may_administer(status: &str) -> bool {
    const CAP_SYS_ADMIN: u32 = 21;
    let effective = status_field(status, "CapEff").and_then(|mask| u64::from_str_radix(mask, 16).ok());
    effective.is_some_and(|mask| mask & (1 << CAP_SYS_ADMIN) != 0)
}

/// The ids that `/etc/subuid` or `/etc/subgid` grants a user, by name or by number.
pub(super) fn granted(subid: &str, user: &str, uid: u32) -> u64 {
    let uid = uid.to_string();
    let ranges = subid.lines().filter_map(|line| {
        let mut fields = line.trim().splitn(3, ':');
        let owner = fields.next()?;
        let (_start, count) = (fields.next()?, fields.next()?);
        (owner == user || owner == uid).then(|| count.parse::<u64>().ok()).flatten()
    });
    ranges.sum()
}

/// A mount of `/proc/self/mountinfo`: its place and its type. The fields before " - " vary in number.
struct Mount<'a> {
    point: &'a str,
    kind: &'a str,
}

fn mounts(mountinfo: &str) -> impl Iterator<Item = Mount<'_>> {
    mountinfo.lines().filter_map(|line| {
        let (left, right) = line.split_once(" - ")?;
        Some(Mount { point: left.split(' ').nth(4)?, kind: right.split(' ').next()? })
    })
}

/// In a chroot the root directory is no mount of its own, so mountinfo has none at "/".
///
/// (A chroot onto a mount point is not seen this way; the attempt's own errno still is.)
pub(super) fn chroot(mountinfo: &str) -> bool {
    mounts(mountinfo).next().is_some() && !mounts(mountinfo).any(|mount| mount.point == "/")
}

/// Engines hide parts of `/proc` from their containers by mounting over them. binfmt_misc is no mask.
pub(super) fn proc_masked(mountinfo: &str) -> bool {
    mounts(mountinfo).any(|mount| {
        mount.point.starts_with("/proc/") && !matches!(mount.kind, "binfmt_misc" | "autofs" | "nfsd")
    })
}

/// Which control groups are mounted.
pub(super) fn layout(mountinfo: &str) -> Layout {
    let has = |kind: &str| mounts(mountinfo).any(|mount| mount.kind == kind);
    match (has("cgroup"), has("cgroup2")) {
        (false, true) => Layout::V2,
        (true, true) => Layout::Hybrid,
        (true, false) => Layout::V1,
        (false, false) => Layout::None,
    }
}

/// Where the unified hierarchy is mounted.
pub(super) fn unified_mount(mountinfo: &str) -> Option<&str> {
    mounts(mountinfo).find(|mount| mount.kind == "cgroup2").map(|mount| mount.point)
}

/// A process's own group in the unified hierarchy, from `/proc/self/cgroup`.
pub(super) fn unified_path(cgroup: &str) -> Option<&str> {
    cgroup.lines().find_map(|line| line.strip_prefix("0::"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const UBUNTU: &str = "\
27 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
29 27 0:26 / /proc rw,nosuid shared:12 - proc proc rw
30 29 0:40 / /proc/sys/fs/binfmt_misc rw,relatime shared:13 - autofs systemd-1 rw,fd=29
35 23 0:29 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate
";
    const DOCKER: &str = "\
600 500 0:50 / / rw,relatime master:1 - overlay overlay rw
601 600 0:55 / /proc rw,nosuid - proc proc rw
610 601 0:60 / /proc/acpi ro,relatime - tmpfs tmpfs ro
611 601 0:55 /sys /proc/sys ro,nosuid - proc proc rw
";

    #[test]
    fn a_release_has_a_major_and_a_minor_number() {
        assert_eq!(version("6.8.0-45-generic"), Some((6, 8)));
        assert_eq!(version("5.10.0-32-amd64"), Some((5, 10)));
        assert_eq!(version("6.18.44-fc-v657"), Some((6, 18)));
        assert_eq!(version("linux"), None);
    }

    #[test]
    fn ranges_count_by_name_and_by_number() {
        let text = "alice:100000:65536\nbob:165536:65536\n1000:300000:10\nbroken\n";
        assert_eq!(granted(text, "alice", 1000), 65546);
        assert_eq!(granted(text, "bob", 1001), 65536);
        assert_eq!(granted(text, "carol", 1002), 0);
    }

    #[test]
    fn masks_of_an_engine_are_told_from_the_systems_own_mounts() {
        assert!(proc_masked(DOCKER));
        assert!(!proc_masked(UBUNTU));
    }

    #[test]
    fn a_chroot_has_no_mount_at_its_root() {
        assert!(!chroot(UBUNTU));
        assert!(chroot("29 27 0:26 / /proc rw,nosuid - proc proc rw\n"));
        assert!(!chroot(""), "no /proc is no evidence");
    }

    #[test]
    fn the_layout_is_told_by_the_types_mounted() {
        assert_eq!(layout(UBUNTU), Layout::V2);
        assert_eq!(layout(DOCKER), Layout::None);
        let v1 = "32 31 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n";
        assert_eq!(layout(v1), Layout::V1);
        assert_eq!(layout(&format!("{v1}{UBUNTU}")), Layout::Hybrid);
        assert_eq!(unified_mount(UBUNTU), Some("/sys/fs/cgroup"));
        assert_eq!(unified_path("9:name=systemd:/\n0::/user.slice/a\n"), Some("/user.slice/a"));
    }

    #[test]
    fn a_field_of_status_is_found_by_its_whole_name() {
        let status = "Seccomp:\t2\nSeccomp_filters:\t1\n";
        assert_eq!(status_field(status, "Seccomp"), Some("2"));
        assert_eq!(status_field(status, "Nope"), None);
        assert!(may_administer("CapEff:\t000001ffffffffff\n"));
        assert!(
            !may_administer("CapEff:\t00000000a80425fb\n"),
            "the capabilities of a plain Docker container"
        );
    }
}
