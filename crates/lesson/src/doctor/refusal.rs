//! Why no container can run: from the step the kernel refused, and its switches, to a cause and a cure. Pure.

use nix::errno::Errno;

use super::facts::{Facts, Refusal, Step};
use super::verdict::Line;

/// What an engine has to be told so that containers can be made inside its container.
/// `.devcontainer/devcontainer.json` says why, option by option.
const ENGINE_OPTIONS: &str = "docker run --security-opt seccomp=unconfined --security-opt apparmor=unconfined \
     --security-opt systempaths=unconfined ...   # or open the devcontainer";

const NAME: &str = "containers";

/// The line that says whether containers run; and one more where a root that runs them can't make user namespaces.
pub(super) fn containers(facts: &Facts) -> Vec<Line> {
    let user = facts.namespaces.user;
    match (facts.namespaces.privileged, user) {
        (None, Ok(())) => {
            vec![Line::ok(
                NAME,
                format!("a user namespace gives {} all a container needs (tried)", facts.user),
            )]
        }
        (Some(Ok(())), Ok(())) => {
            let what = "every namespace a container needs, user namespaces included (tried)";
            vec![Line::ok(NAME, format!("{} may make {what}", facts.user))]
        }
        (Some(Ok(())), Err(refused)) => {
            let Explanation { cause, cures } = explain(facts, refused);
            let follows = "containers run, but nothing can be tried as an ordinary user";
            vec![
                Line::ok(NAME, format!("{} may make every namespace a container needs (tried)", facts.user)),
                Line { cures, ..Line::limited("user namespaces", cause).follows(follows) },
            ]
        }
        (Some(Err(refused)), _) | (None, Err(refused)) => {
            let Explanation { cause, cures } = explain(facts, refused);
            let follows = match facts.lessons_of("userns") {
                Some(lessons) => format!("no container can run; the tests of {lessons} are ignored"),
                None => "no container can run".to_owned(),
            };
            vec![Line { cures, ..Line::missing(NAME, cause).follows(follows).matters(true) }]
        }
    }
}

struct Explanation {
    cause: String,
    cures: Vec<String>,
}

fn describe(refused: Refusal) -> String {
    format!("{} ({:?})", refused.step.words(), refused.errno)
}

/// The first switch that explains the refusal wins: the plain ones before the hidden ones.
fn explain(facts: &Facts, refused: Refusal) -> Explanation {
    let spaces = &facts.namespaces;
    let what = describe(refused);
    let because = |cause: &str, cures: Vec<String>| Explanation {
        cause: format!("the kernel refuses {what}: {cause}"),
        cures,
    };
    let denied = matches!(refused.errno, Errno::EPERM | Errno::EACCES);
    let first = refused.step == Step::UserNamespace;
    if first && spaces.max_user_namespaces == Some(0) {
        let cure = facts.as_root("sysctl -w user.max_user_namespaces=15000");
        return because("user.max_user_namespaces is 0", vec![cure]);
    }
    if first && denied && facts.uid != 0 && spaces.unprivileged_userns_clone == Some(0) {
        let cure = facts.as_root("sysctl -w kernel.unprivileged_userns_clone=1");
        return because("kernel.unprivileged_userns_clone is 0 (a switch of Debian's)", vec![cure]);
    }
    if spaces.chroot && matches!(refused.step, Step::UserNamespace | Step::PivotRoot) {
        let cure = "leave the chroot, or enter it by pivot_root: systemd-nspawn -D DIR".to_owned();
        return because("this process is in a chroot, out of which a container could climb", vec![cure]);
    }
    if first && spaces.seccomp && (denied || refused.errno == Errno::ENOSYS) {
        let cause = "this is a container itself, whose seccomp filter forbids it";
        return because(cause, vec![ENGINE_OPTIONS.to_owned()]);
    }
    if denied && spaces.privileged.is_none() && spaces.apparmor_restrict.is_some_and(|value| value != 0) {
        let cause = "AppArmor gives unprivileged user namespaces no capabilities (Ubuntu's \
                     kernel.apparmor_restrict_unprivileged_userns)";
        let until_reboot = facts.as_root("sysctl -w kernel.apparmor_restrict_unprivileged_userns=0");
        return because(cause, vec![until_reboot, apparmor_profile(facts)]);
    }
    if refused.step == Step::Proc && denied && spaces.proc_masked {
        let cause = "parts of /proc are masked here, and a fresh one would show them";
        return because(cause, vec![ENGINE_OPTIONS.to_owned()]);
    }
    if let Some(profile) = spaces.apparmor_profile.as_ref().filter(|_| denied) {
        let cause = format!("this process runs under the AppArmor profile {profile}");
        return because(&cause, vec![ENGINE_OPTIONS.to_owned()]);
    }
    if refused.errno == Errno::ENOSPC {
        let cure = "sysctl user | grep _namespaces   # then raise the one that is too low".to_owned();
        return because("a limit on namespaces is reached", vec![cure]);
    }
    if matches!(refused.errno, Errno::ENOSYS | Errno::EINVAL) {
        let cure = "boot your distribution's own kernel, or work in a virtual machine".to_owned();
        return because(
            "it is built without that kind of namespace, or the root is an initramfs",
            vec![cure],
        );
    }
    let cure = facts.as_root("dmesg | tail   # a security module tells there what it denied");
    because("no switch explains it; a security module may", vec![cure])
}

/// The lasting cure on Ubuntu: a profile that changes nothing but to allow these programs user namespaces.
fn apparmor_profile(facts: &Facts) -> String {
    let programs = facts.repository.join("target/**");
    let profile = format!(
        "abi <abi/4.0>,\\nprofile coracle \"{}\" flags=(unconfined) {{\\n  userns,\\n}}\\n",
        programs.display()
    );
    format!(
        "printf '{profile}' | sudo tee /etc/apparmor.d/coracle && sudo apparmor_parser -r /etc/apparmor.d/coracle"
    )
}
