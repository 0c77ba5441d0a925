//! The words that CRIU takes and says: its images/rpc.proto, as far as we use it. Numbers and names are CRIU's.

use prost::Message;

/// What is asked for, and what is heard ([`Request::kind`], [`Response::kind`]): the proto's `criu_req_type`.
pub(crate) const DUMP: i32 = 1;
/// To make processes again.
pub(crate) const RESTORE: i32 = 2;
/// To write their memory, and let them go on: what changes until a later dump is all that that writes.
pub(crate) const PRE_DUMP: i32 = 4;
/// A stage on the way, for whoever has something to do there.
pub(crate) const NOTIFY: i32 = 6;

/// `criu_req`.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Request {
    /// What is to be done.
    #[prost(int32, required, tag = "1")]
    pub(crate) kind: i32,
    /// How.
    #[prost(message, optional, tag = "2")]
    pub(crate) options: Option<Options>,
    /// The answer to a notice: whether to go on.
    #[prost(bool, optional, tag = "3")]
    pub(crate) go_on: Option<bool>,
}

/// `criu_resp`.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Response {
    /// What was asked for, or [`NOTIFY`].
    #[prost(int32, required, tag = "1")]
    pub(crate) kind: i32,
    /// Whether it was done.
    #[prost(bool, required, tag = "2")]
    pub(crate) success: bool,
    /// The stage.
    #[prost(message, optional, tag = "5")]
    pub(crate) notice: Option<Notice>,
    /// What went wrong first.
    #[prost(string, optional, tag = "9")]
    pub(crate) error: Option<String>,
}

/// `criu_notify`.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Notice {
    /// The name of the stage.
    #[prost(string, optional, tag = "1")]
    pub(crate) stage: Option<String>,
    /// The first of the processes that are made.
    #[prost(int32, optional, tag = "2")]
    pub(crate) pid: Option<i32>,
}

/// `criu_opts`. Descriptors are numbers of ours, which CRIU opens through /proc, but for those of [`Inherited`].
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Options {
    #[prost(int32, required, tag = "1")]
    pub(crate) images: i32,
    #[prost(int32, optional, tag = "2")]
    pub(crate) pid: Option<i32>,
    #[prost(bool, optional, tag = "3")]
    pub(crate) leave_running: Option<bool>,
    #[prost(bool, optional, tag = "4")]
    pub(crate) ext_unix_sk: Option<bool>,
    #[prost(bool, optional, tag = "5")]
    pub(crate) tcp_established: Option<bool>,
    #[prost(bool, optional, tag = "6")]
    pub(crate) evasive_devices: Option<bool>,
    #[prost(bool, optional, tag = "7")]
    pub(crate) shell_job: Option<bool>,
    #[prost(bool, optional, tag = "8")]
    pub(crate) file_locks: Option<bool>,
    #[prost(int32, optional, tag = "9")]
    pub(crate) log_level: Option<i32>,
    #[prost(string, optional, tag = "10")]
    pub(crate) log_file: Option<String>,
    #[prost(message, optional, tag = "11")]
    pub(crate) page_server: Option<PageServer>,
    #[prost(bool, optional, tag = "12")]
    pub(crate) notify: Option<bool>,
    #[prost(string, optional, tag = "13")]
    pub(crate) root: Option<String>,
    #[prost(string, optional, tag = "14")]
    pub(crate) parent: Option<String>,
    #[prost(bool, optional, tag = "15")]
    pub(crate) track_memory: Option<bool>,
    #[prost(bool, optional, tag = "16")]
    pub(crate) auto_dedup: Option<bool>,
    #[prost(int32, optional, tag = "17")]
    pub(crate) work: Option<i32>,
    #[prost(message, repeated, tag = "23")]
    pub(crate) mounts: Vec<Pair>,
    #[prost(bool, optional, tag = "24")]
    pub(crate) manage_cgroups: Option<bool>,
    #[prost(message, repeated, tag = "25")]
    pub(crate) cgroup_roots: Vec<CgroupRoot>,
    #[prost(bool, optional, tag = "26")]
    pub(crate) sibling: Option<bool>,
    #[prost(message, repeated, tag = "27")]
    pub(crate) inherited: Vec<Inherited>,
    #[prost(int32, optional, tag = "34")]
    pub(crate) cgroups_mode: Option<i32>,
    #[prost(string, repeated, tag = "37")]
    pub(crate) external: Vec<String>,
    #[prost(uint32, optional, tag = "38")]
    pub(crate) empty_namespaces: Option<u32>,
    #[prost(string, optional, tag = "44")]
    pub(crate) freezer: Option<String>,
    #[prost(bool, optional, tag = "46")]
    pub(crate) tcp_skip_in_flight: Option<bool>,
    #[prost(bool, optional, tag = "48")]
    pub(crate) lazy_pages: Option<bool>,
    #[prost(int32, optional, tag = "49")]
    pub(crate) status: Option<i32>,
    #[prost(bool, optional, tag = "50")]
    pub(crate) orphan_terminal: Option<bool>,
    #[prost(string, optional, tag = "53")]
    pub(crate) lsm_profile: Option<String>,
    #[prost(string, optional, tag = "63")]
    pub(crate) lsm_mount_context: Option<String>,
}

/// `ext_mount_map`: a mount that comes from outside. To write it, where it is inside and its name; to make it again, its name and
/// where it comes from.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Pair {
    #[prost(string, required, tag = "1")]
    pub(crate) key: String,
    #[prost(string, required, tag = "2")]
    pub(crate) value: String,
}

/// `criu_page_server_info`: who takes the memory, instead of files.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct PageServer {
    #[prost(string, optional, tag = "1")]
    pub(crate) address: Option<String>,
    #[prost(int32, optional, tag = "2")]
    pub(crate) port: Option<i32>,
}

/// `cgroup_root`: where the control group of a hierarchy is now; without a controller, that of all others.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct CgroupRoot {
    #[prost(string, optional, tag = "1")]
    pub(crate) controller: Option<String>,
    #[prost(string, required, tag = "2")]
    pub(crate) path: String,
}

/// `inherit_fd`: a descriptor of CRIU's own process that stands for what the key names.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Inherited {
    #[prost(string, required, tag = "1")]
    pub(crate) key: String,
    #[prost(int32, required, tag = "2")]
    pub(crate) fd: i32,
}
