//! `/hooks`: the programs that run when something becomes of the container.

use std::ffi::CString;
use std::time::Duration;

use super::{parse, wrong};
use crate::config;
use crate::error::{Error, Result};
use crate::explain::Explain;
use crate::hook::{Hook, Hooks, Moment};
use crate::state::Dir;

/// The hooks that a config asks for. Whether their programs are there is found when they run: an earlier hook may make
/// them.
///
/// # Errors
/// At `/hooks/MOMENT/N` for a path that is not absolute, a timeout that is not more than 0, a NUL byte.
pub fn hooks(asked: Option<&config::Hooks>) -> Result<Hooks> {
    let mut hooks = Hooks::default();
    let Some(asked) = asked else { return Ok(hooks) };
    for moment in Moment::ALL {
        let listed = match moment {
            Moment::Prestart => &asked.prestart,
            Moment::CreateRuntime => &asked.create_runtime,
            Moment::CreateContainer => &asked.create_container,
            Moment::StartContainer => &asked.start_container,
            Moment::Poststart => &asked.poststart,
            Moment::Poststop => &asked.poststop,
        };
        let pointer = |n| format!("/hooks/{}/{n}", moment.name());
        let listed = listed.iter().enumerate().map(|(n, asked)| hook(asked, &pointer(n)));
        hooks.set(moment, listed.collect::<Result<_>>()?);
    }
    Ok(hooks)
}

/// The hooks of a container that is there, from the copy of its config in `dir`.
///
/// # Errors
/// Those of reading the copy.
pub fn hooks_of(dir: &Dir, explain: &Explain) -> Result<Hooks> {
    let path = dir.config_path();
    let text = std::fs::read_to_string(&path).map_err(Error::io(format!("read {}", path.display())))?;
    hooks(parse::config(&text, &path, explain)?.hooks.as_ref())
}

fn hook(asked: &config::Hook, pointer: &str) -> Result<Hook> {
    if !asked.path.starts_with('/') {
        return Err(wrong(format!("{pointer}/path"), format!("{:?} must be an absolute path", asked.path)));
    }
    let path = text(&asked.path, &format!("{pointer}/path"))?;
    let texts = |listed: &[String], name: &str| -> Result<Vec<CString>> {
        let listed = listed.iter().enumerate();
        listed.map(|(n, one)| text(one, &format!("{pointer}/{name}/{n}"))).collect()
    };
    let mut args = texts(&asked.args, "args")?;
    if args.is_empty() {
        // Whoever is executed has a name.
        args.push(path.clone());
    }
    let timeout = match asked.timeout {
        None => None,
        Some(seconds) => match u64::try_from(seconds) {
            Ok(1..) => Some(Duration::from_secs(seconds.unsigned_abs())),
            _ => {
                let problem = format!("{seconds} must be more than 0 seconds; leave it out for no limit");
                return Err(wrong(format!("{pointer}/timeout"), problem));
            }
        },
    };
    Ok(Hook { path, args, env: texts(&asked.env, "env")?, timeout })
}

fn text(text: &str, pointer: &str) -> Result<CString> {
    CString::new(text).map_err(|_| wrong(pointer, "has a NUL byte in it"))
}
