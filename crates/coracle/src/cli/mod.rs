//! The command line: options to a plan, a plan to a verb, an outcome to an exit code.

mod args;
mod checkpoint;
mod parse;
mod words;

use std::io::{IsTerminal, Write};
use std::path::Path;

use clap::CommandFactory;
use serde_json::{Value, json};

use crate::cgroup::Driver;
use crate::config::IntelRdt;
use crate::create;
use crate::error::{Error, Result};
use crate::explain::{self, Explain};
use crate::log::Log;
use crate::plan::{Manner, Plan};
use crate::run::{self, After};
use crate::{
    bundle, delete, events, exec, features, kill, list, pause, ps, restore, sandbox, seal, signal, spec,
    start, state, sys, update,
};

use args::{Cli, Create, Exec, Sandbox, Update, Verb};

/// What an exec ends with that could not begin: no program's status, and not the 1 of all else.
const NOT_EXECUTED: u8 = 255;

/// The command line, for those who describe it.
pub fn command() -> clap::Command {
    Cli::command()
}

/// The entry point of the binary. Returns the exit code to end with.
pub fn main() -> u8 {
    let words = words::read();
    let cli = match parse::parse(&words) {
        Ok(cli) => cli,
        Err(told) => return parse::tell(&told, &words),
    };
    let failure = if matches!(cli.verb, Verb::Exec(_)) { NOT_EXECUTED } else { 1 };
    // First of all, for this program begins once more then.
    let sealed = if makes_processes(&cli.verb) { seal(&cli) } else { Ok(()) };
    let begun = sys::begin().map_err(Error::refused("open /dev/null"));
    // Before the log is opened, or its descriptor is taken for one of the caller's.
    let kept = kept(&cli.verb);
    let explain = match begun.and_then(|()| narration(&cli)) {
        Ok(explain) => explain,
        Err(error) => return tell(&error, &Explain::silent(), failure),
    };
    match sealed.and(kept).and_then(|kept| act(cli, kept, &explain)) {
        Ok(code) => code,
        Err(error) => tell(&error, &explain, failure),
    }
}

/// Whether a container will see this process, if only for a moment.
fn makes_processes(verb: &Verb) -> bool {
    matches!(verb, Verb::Sandbox(_) | Verb::Create(_) | Verb::Run { .. } | Verb::Exec(_))
}

fn seal(cli: &Cli) -> Result<()> {
    seal::seal(|| {
        // Where standard error is not open, there is nobody to tell.
        if cli.explain
            && let Ok(explain) = Explain::to_stderr()
        {
            explain.last_step(&explain::SEAL);
        }
    })
}

fn narration(cli: &Cli) -> Result<Explain> {
    let log = cli.log.as_deref().map(|path| Log::open(path, cli.log_format)).transpose()?;
    let explain = if cli.explain { Explain::to_stderr()? } else { Explain::silent() };
    Ok(explain.with_log(log).debugging(cli.debug))
}

fn tell(error: &Error, explain: &Explain, code: u8) -> u8 {
    explain.error(&error.to_string());
    // Where nobody can be told, the exit code still tells.
    let _ = writeln!(std::io::stderr(), "coracle: error: {error}");
    code
}

/// Who makes control groups. Only verbs that make one ask: a container knows who has made its own.
///
/// # Errors
/// [`Error::Usage`] where the options contradict each other, or the verb knows no other way than its own.
fn driver(cli: &Cli) -> Result<Driver> {
    let fail = |problem: &str| Err(Error::Usage { problem: problem.to_owned() });
    match (cli.systemd_cgroup, cli.cgroup_manager.as_deref()) {
        (true, Some(other @ ("cgroupfs" | "disabled"))) => {
            fail(&format!("--systemd-cgroup and --cgroup-manager {other}: give one of them"))
        }
        (true, _) | (_, Some("systemd")) => match cli.verb {
            Verb::Sandbox(_) => fail("sandbox makes its control group itself: leave --systemd-cgroup out"),
            Verb::Restore(_) => fail("restore makes its control group itself: leave --systemd-cgroup out"),
            _ => Ok(Driver::Systemd),
        },
        _ => Ok(Driver::Files),
    }
}

/// Does what the command line says. `kept` descriptors after standard error are the program's.
fn act(cli: Cli, kept: u32, explain: &Explain) -> Result<u8> {
    let group = Group {
        driver: driver(&cli)?,
        required: cli.rootless.as_deref() == Some("false"),
        disabled: cli.cgroup_manager.as_deref() == Some("disabled"),
    };
    let root = cli.root.unwrap_or_else(state::default_root);
    match cli.verb {
        Verb::Sandbox(wish) => {
            let plan = sandbox(wish)?;
            run::run(&plan, &root, &Manner::default(), After::default(), explain)
        }
        Verb::Create(wish) => {
            let (plan, manner) = container(wish, group, kept, explain)?;
            detached_terminal(&plan, &manner, true)?;
            create::create(&plan, &root, &manner, &signal::hold()?, explain).map(|()| 0)
        }
        Verb::Run { create, detach, keep, .. } => {
            let (plan, manner) = container(create, group, kept, explain)?;
            detached_terminal(&plan, &manner, detach)?;
            run::run(&plan, &root, &manner, After { detach, keep }, explain)
        }
        Verb::Exec(wish) => execute(wish, kept, &root, explain),
        Verb::Start { id } => start::start(&root, &id, explain).map(|()| 0),
        Verb::Kill { all, words } => {
            let (id, signal) = args::split(words);
            kill::kill(&root, &id, signal.first().map_or("SIGTERM", String::as_str), all).map(|()| 0)
        }
        Verb::Delete { force, id } => delete::delete(&root, &id, force, explain).map(|()| 0),
        Verb::Pause { id } => pause::pause(&root, &id).map(|()| 0),
        Verb::Resume { id } => pause::resume(&root, &id).map(|()| 0),
        Verb::Update(wish) => {
            let (id, wish) = limits(wish, explain)?;
            update::update(&root, &id, &wish, explain).map(|()| 0)
        }
        Verb::State { id } => say(&list::state(&root, &id)?),
        Verb::List { format, quiet } => say(&list::list(&root, format, quiet, explain)?),
        Verb::Ps { format, words } => {
            let (id, options) = args::split(words);
            say(&ps::ps(&root, &id, format, &options)?)
        }
        Verb::Events { stats, interval, id } => {
            let interval = if stats { None } else { Some(interval) };
            events::events(&root, &id, interval, &mut std::io::stdout()).map(|()| 0)
        }
        Verb::Checkpoint(wish) => {
            let id = wish.id.clone();
            crate::checkpoint::checkpoint(&root, &id, &wish.wish()?, &cli.criu, explain).map(|()| 0)
        }
        Verb::Restore(wish) => {
            let (wish, create) = wish.wish()?;
            let (plan, manner) = container(create, group, kept, explain)?;
            detached_terminal(&plan, &manner, wish.detach)?;
            restore::restore(&plan, &root, &wish, &manner, &cli.criu, explain)
        }
        Verb::Spec { bundle, rootless } => spec::write(&bundle, rootless).map(|()| 0),
        Verb::Features => say(&features::json()),
        Verb::Completions { shell } => {
            let mut text = Vec::new();
            clap_complete::generate(shell, &mut command(), "coracle", &mut text);
            say(&String::from_utf8_lossy(&text))
        }
    }
}

fn say(text: &str) -> Result<u8> {
    std::io::stdout().write_all(text.as_bytes()).map_err(Error::io("write to standard output"))?;
    Ok(0)
}

fn sandbox(wish: Sandbox) -> Result<Plan> {
    sandbox::plan(sandbox::Wish {
        rootfs: wish.root,
        hostname: wish.hostname,
        env: wish.env,
        mounts: wish.mount,
        dev: wish.dev,
        reaper: wish.init,
        memory: wish.memory.as_deref().map(sandbox::bytes).transpose()?,
        pids: wish.pids,
        cpus: wish.cpus,
        cgroup: wish.cgroup,
        terminal: std::io::stdin().is_terminal() && std::io::stdout().is_terminal(),
        command: wish.command,
    })
}

/// What the command line says of a container's control group.
#[derive(Clone, Copy)]
struct Group {
    /// Who makes it.
    driver: Driver,
    /// It must be there, though nobody asked for it by path or limit: `--rootless=false`.
    required: bool,
    /// There is to be none: `--cgroup-manager disabled`.
    disabled: bool,
}

impl Group {
    /// Puts that into `plan`.
    ///
    /// # Errors
    /// [`Error::Usage`] where there is to be none, and the config has limits for it: they would not hold.
    fn settle(self, plan: &mut Plan) -> Result<()> {
        let Some(group) = &mut plan.cgroup else { return Ok(()) };
        group.optional &= !self.required;
        if !self.disabled {
            return Ok(());
        }
        if bundle::cgroup::limits(&group.resources) {
            let problem = "--cgroup-manager disabled: /linux/resources has limits, and without a control group they \
                           would not hold; take them out, or give cgroupfs";
            return Err(Error::Usage { problem: problem.to_owned() });
        }
        plan.cgroup = None;
        Ok(())
    }
}

fn container(wish: Create, group: Group, kept: u32, explain: &Explain) -> Result<(Plan, Manner)> {
    let mut plan = bundle::load(&wish.bundle, &wish.id, group.driver, explain)?;
    group.settle(&mut plan)?;
    if wish.no_new_keyring {
        plan.keyring = None;
    }
    if let Some(count) = listening() {
        // It keeps them under its own number.
        plan.process.set_variable("LISTEN_FDS", &count.to_string());
        plan.process.set_variable("LISTEN_PID", "1");
    }
    let manner = Manner {
        console_socket: wish.console_socket,
        pidfd_socket: wish.pidfd_socket,
        pid_file: wish.pid_file,
        preserve_fds: kept,
        no_pivot: wish.no_pivot,
        ..Manner::default()
    };
    Ok((plan, manner))
}

/// How many sockets a service manager has opened for the program (sd_listen_fds(3)), where one has.
fn listening() -> Option<u32> {
    let number = |name| std::env::var(name).ok()?.parse::<u32>().ok();
    number("LISTEN_FDS").filter(|_| number("LISTEN_PID") == Some(std::process::id()))
}

/// How many descriptors after standard error the program keeps: sockets of a service manager, and those of
/// --preserve-fds behind them.
///
/// # Errors
/// [`Error::Usage`] where one of them is not open.
fn kept(verb: &Verb) -> Result<u32> {
    let (asked, listening) = match verb {
        Verb::Create(create) | Verb::Run { create, .. } => (create.preserve_fds, listening()),
        Verb::Exec(exec) => (exec.preserve_fds, None),
        _ => return Ok(0),
    };
    let count = asked.saturating_add(listening.unwrap_or(0));
    for fd in (3_u64..).take(count as usize) {
        if !Path::new(&format!("/proc/self/fd/{fd}")).exists() {
            let sockets = listening.map(|count| format!(" and LISTEN_FDS={count}")).unwrap_or_default();
            let problem = format!(
                "--preserve-fds {asked}{sockets}: descriptor {fd} is not open; open 3 and those after it"
            );
            return Err(Error::Usage { problem });
        }
    }
    Ok(count)
}

/// A terminal must have somebody at its other end.
fn detached_terminal(plan: &Plan, manner: &Manner, detached: bool) -> Result<()> {
    let problem = match (plan.process.terminal.is_some(), detached, &manner.console_socket) {
        (true, true, None) => {
            "/process/terminal is true, and nobody would hold the terminal's other end: give --console-socket, or set it to false"
        }
        (false, _, Some(_)) => "--console-socket is given, but /process/terminal is false: set it to true",
        (true, false, Some(_)) => {
            "--console-socket is given, but run stays at the terminal itself: add --detach"
        }
        _ => return Ok(()),
    };
    Err(Error::Usage { problem: problem.to_owned() })
}

fn execute(wish: Exec, kept: u32, root: &Path, explain: &Explain) -> Result<u8> {
    let (id, command) = args::split(wish.words);
    if wish.exec.is_some() && !command.is_empty() {
        let problem = "--exec is given, and a command as well: give one of them".to_owned();
        return Err(Error::Usage { problem });
    }
    // A shell for a person: where there is one.
    let shell = command.is_empty() && wish.exec.is_none() && wish.process.is_none();
    let manner = exec::Manner {
        detach: wish.detach,
        console_socket: wish.console_socket,
        pidfd_socket: wish.pidfd_socket,
        pid_file: wish.pid_file,
        preserve_fds: kept,
        ignore_paused: wish.ignore_paused,
        cgroup: wish.cgroup,
    };
    let wanted = exec::Wish {
        args: command,
        line: wish.exec,
        file: wish.process,
        cwd: wish.cwd,
        env: wish.env,
        terminal: wish.tty || (shell && std::io::stdin().is_terminal()),
        user: wish.user,
        groups: wish.additional_gids,
        no_new_privileges: wish.no_new_privs,
        capabilities: wish.cap,
        apparmor: wish.apparmor,
        selinux: wish.process_label,
    };
    exec::exec(root, &id, &wanted, &manner, explain)
}

/// The container, and what an update asks of it. What is 0 or empty is left out.
fn limits(wish: Update, explain: &Explain) -> Result<(String, update::Wish)> {
    if wish.kernel_memory.is_some() || wish.kernel_memory_tcp.is_some() {
        explain.warn("--kernel-memory, --kernel-memory-tcp: ignored; --memory counts the kernel's, too");
    }
    let bytes = |text: Option<String>| match text.as_deref() {
        None | Some("" | "0") => Ok(Value::Null),
        Some("-1") => Ok(json!(-1)),
        Some(text) => sandbox::bytes(text).map(|bytes| json!(bytes)),
    };
    let mut limits = json!({
        "blockIO": { "weight": wish.blkio_weight },
        "cpu": {
            "period": wish.cpu_period,
            "quota": wish.cpu_quota,
            "shares": wish.cpu_share,
            "realtimePeriod": wish.cpu_rt_period,
            "realtimeRuntime": wish.cpu_rt_runtime,
            "cpus": wish.cpuset_cpus,
            "mems": wish.cpuset_mems,
        },
        "memory": {
            "limit": bytes(wish.memory)?,
            "reservation": bytes(wish.memory_reservation)?,
            "swap": bytes(wish.memory_swap)?,
        },
        "pids": { "limit": wish.pids_limit },
    });
    for part in limits.as_object_mut().into_iter().flat_map(|all| all.values_mut()) {
        let part = part.as_object_mut().expect("each is an object");
        part.retain(|_, value| !value.is_null() && *value != json!(0) && *value != json!(""));
    }
    // Of these, 0 is a value.
    for (name, value) in [("burst", json!(wish.cpu_burst)), ("idle", json!(wish.cpu_idle))] {
        if !value.is_null() {
            limits["cpu"][name] = value;
        }
    }
    limits.as_object_mut().expect("it is one").retain(|_, part| *part != json!({}));
    let rdt = IntelRdt {
        l3_cache_schema: wish.l3_cache_schema,
        mem_bw_schema: wish.mem_bw_schema,
        ..IntelRdt::default()
    };
    Ok((wish.id, update::Wish { file: wish.resources, limits, rdt }))
}
