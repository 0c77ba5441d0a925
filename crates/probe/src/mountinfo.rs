//! `/proc/PID/mountinfo`, proc_pid_mountinfo(5).

use std::fmt;

use serde::{Deserialize, Serialize};

/// One mount.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mount {
    /// The mount's id.
    pub id: u64,
    /// The id of the mount it stands on.
    pub parent: u64,
    /// `major:minor` of the file system.
    pub device: String,
    /// The directory of the file system that is mounted here.
    pub root: String,
    /// Where it is mounted, relative to the process's root.
    pub mountpoint: String,
    /// The mount's own options (`ro`, `nosuid`, ...).
    pub options: Vec<String>,
    /// Propagation: `shared:N`, `master:N`, `propagate_from:N`, `unbindable`; empty means private.
    pub optional: Vec<String>,
    /// Type of the file system.
    pub fstype: String,
    /// What was mounted: a device, or any word.
    pub source: String,
    /// Options of the file system itself.
    pub super_options: Vec<String>,
}

/// `/proc: proc (rw,nosuid) shared:5`, for whoever has to look through many.
impl fmt::Display for Mount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} ({})", self.mountpoint, self.fstype, self.options.join(","))?;
        self.optional.iter().try_for_each(|field| write!(f, " {field}"))
    }
}

impl Mount {
    /// Reads one line; `None` if it has not the form of one.
    pub fn parse(line: &str) -> Option<Mount> {
        let (mount, fs) = line.split_once(" - ")?;
        let mut mount = mount.split(' ');
        let mut fs = fs.split(' ');
        Some(Mount {
            id: mount.next()?.parse().ok()?,
            parent: mount.next()?.parse().ok()?,
            device: mount.next()?.into(),
            root: unescape(mount.next()?),
            mountpoint: unescape(mount.next()?),
            options: words(mount.next()?),
            optional: mount.map(String::from).collect(),
            fstype: fs.next()?.into(),
            source: unescape(fs.next()?),
            super_options: words(fs.next()?),
        })
    }

    /// Reads a whole mountinfo; lines of another form are left out.
    pub fn parse_all(text: &str) -> Vec<Mount> {
        text.lines().filter_map(Mount::parse).collect()
    }

    /// Whether mounts below it reach other namespaces, and theirs reach it.
    pub fn is_shared(&self) -> bool {
        self.optional.iter().any(|field| field.starts_with("shared:"))
    }
}

fn words(list: &str) -> Vec<String> {
    list.split(',').map(String::from).collect()
}

/// The kernel writes space, tab, newline and backslash as `\` and three octal digits.
fn unescape(field: &str) -> String {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field.as_bytes();
    while let [first, tail @ ..] = rest {
        match tail {
            [a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', after @ ..] if *first == b'\\' => {
                bytes.push((a - b'0') << 6 | (b - b'0') << 3 | (c - b'0'));
                rest = after;
            }
            _ => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_with_propagation_and_escapes() {
        let line =
            r"36 35 98:0 /mnt1 /a\040b\134c rw,noatime master:1 shared:7 - ext3 /dev/root rw,errors=continue";
        let mount = Mount::parse(line).unwrap();
        assert_eq!(mount.mountpoint, r"/a b\c");
        assert_eq!(mount.options, ["rw", "noatime"]);
        assert_eq!(mount.optional, ["master:1", "shared:7"]);
        assert_eq!((mount.fstype.as_str(), mount.source.as_str()), ("ext3", "/dev/root"));
        assert!(mount.is_shared());
    }

    #[test]
    fn a_private_mount_of_a_source_without_a_name() {
        let mount = Mount::parse("22 1 0:21 / /proc rw - proc  rw").unwrap();
        assert_eq!((mount.source.as_str(), mount.optional.len()), ("", 0));
        assert!(!mount.is_shared());
    }

    #[test]
    fn what_is_no_mount_is_left_out() {
        assert!(Mount::parse_all("\n36 35 98:0 /\nnonsense - ext4\n").is_empty());
    }
}
