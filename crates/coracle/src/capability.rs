//! Capabilities: root's power, in pieces (capabilities(7)).

use caps::Capability;
use nix::errno::Errno;

use crate::error::{Error, Result};
use crate::sys;

/// The five sets of a process, each a mask: bit N is capability number N.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sets {
    /// The most that execve(2) can ever give.
    pub bounding: u64,
    /// What counts in the kernel's checks.
    pub effective: u64,
    /// What may be made effective.
    pub permitted: u64,
    /// What a program with inheritable file capabilities may keep.
    pub inheritable: u64,
    /// What an ordinary program keeps.
    pub ambient: u64,
}

/// The number of the capability called `name` ("CAP_KILL", any case, with or without `CAP_`); `None` for a name that
/// nobody knows. The kernels that we run on know all that we know.
pub fn number(name: &str) -> Option<u8> {
    let upper = name.to_ascii_uppercase();
    let full = if upper.starts_with("CAP_") { upper } else { format!("CAP_{upper}") };
    full.parse::<Capability>().ok().map(|known| known.index())
}

/// The names of the capabilities in `mask`, for a message.
pub fn names(mask: u64) -> String {
    let mut known: Vec<_> = caps::all().into_iter().filter(|one| mask & one.bitmask() != 0).collect();
    known.sort_unstable_by_key(Capability::index);
    known.iter().map(Capability::to_string).collect::<Vec<_>>().join(", ")
}

/// Takes all that is not in `bounding` out of the bounding set: for good. To be called while CAP_SETPCAP is
/// effective, so before the change of ids.
///
/// Each takes a call, for there is no call that takes a mask, so it asks nothing before. The first number that the kernel
/// does not know (`EINVAL`) is the end.
///
/// # Errors
/// `EPERM` without CAP_SETPCAP, where there is something to take out.
pub fn drop_bounding(bounding: u64) -> Result<()> {
    for number in (0..64).filter(|number| bounding & 1 << number == 0) {
        match sys::capbset_drop(number) {
            Ok(()) => {}
            Err(Errno::EINVAL) => break,
            // It is out already: somebody around us has done it.
            Err(Errno::EPERM) if sys::capbset_read(number) == Ok(false) => {}
            Err(errno) => {
                return Err(Error::refused(format!("prctl PR_CAPBSET_DROP {}", names(1 << number)))(errno)
                    .with_cure(Errno::EPERM, "the runtime needs CAP_SETPCAP"));
            }
        }
    }
    Ok(())
}

/// What of `sets` we have not ourselves and so cannot give, as a mask: for a warning. Not to be asked where the container
/// gets a user namespace of its own, for in there its first process has all.
///
/// # Errors
/// Those of capget(2).
pub fn beyond_ours(sets: &Sets) -> Result<u64> {
    let [_, permitted, _] = sys::capget().map_err(Error::refused("capget"))?;
    Ok((sets.effective | sets.permitted | sets.inheritable) & !permitted)
}

/// Makes the other four sets those of `sets`. To be called after the change of ids, with the permitted set kept. What
/// cannot be granted is left out, and is no error (runtime-spec, config.md, "capabilities").
///
/// # Errors
/// Those of capset(2) and prctl(2), for what could be granted.
pub fn set(sets: &Sets) -> Result<()> {
    let granted = set_base(sets)?;
    // capset(2) has already taken out of the ambient set what is no longer permitted and inheritable.
    if granted.permitted & granted.inheritable != 0 {
        set_ambient(granted.ambient)?;
    }
    Ok(())
}

/// Sets effective, permitted and inheritable in one call, since each is checked against the others. Only where the kernel
/// refuses, what can be granted of them. Returns what it was.
fn set_base(sets: &Sets) -> Result<Sets> {
    // The kernel allows this much only together, so there is nothing to ask before.
    let asked = Sets { ambient: sets.ambient & sets.permitted & sets.inheritable, ..*sets };
    match sys::capset(asked.effective, asked.permitted, asked.inheritable) {
        Ok(()) => return Ok(asked),
        Err(Errno::EPERM) => {}
        Err(errno) => return Err(Error::refused("capset")(errno)),
    }
    let [_, permitted, _] = sys::capget().map_err(Error::refused("capget"))?;
    let less = grantable(sets, permitted);
    sys::capset(less.effective, less.permitted, less.inheritable).map_err(Error::refused("capset"))?;
    Ok(less)
}

/// What of `asked` a process can give itself whose permitted set is `permitted` and whose bounding set is `asked.bounding`:
/// nothing that is not permitted, no effective one without the permission it asked for, no inheritable one outside the
/// bounding set, no ambient one that is not permitted and inheritable (capabilities(7)).
pub fn grantable(asked: &Sets, permitted: u64) -> Sets {
    let inheritable = asked.inheritable & asked.bounding & permitted;
    let permitted = asked.permitted & permitted;
    Sets {
        bounding: asked.bounding,
        effective: asked.effective & permitted,
        permitted,
        inheritable,
        ambient: asked.ambient & permitted & inheritable,
    }
}

/// Makes the ambient set `ambient`, which must be permitted and inheritable.
fn set_ambient(ambient: u64) -> Result<()> {
    sys::ambient_clear().map_err(Error::refused("prctl PR_CAP_AMBIENT_CLEAR_ALL"))?;
    for number in (0..64).filter(|number| ambient & 1 << number != 0) {
        sys::ambient_raise(number).map_err(|errno| {
            Error::refused(format!("prctl PR_CAP_AMBIENT_RAISE {}", names(1 << number)))(errno)
        })?;
    }
    Ok(())
}
