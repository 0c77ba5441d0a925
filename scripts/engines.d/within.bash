# The inside of scripts/engines: what an engine finds, and what its file of checks is written in.
#
# $PLACE is a folder of the engine's own, $WORK/image.tar the image's root filesystem, $RUNTIME the runtime and $NAME its name,
# $GROUP the control group for all that is made.
# shellcheck shell=bash
set -euo pipefail

# ---- the machine as the engine sees it -----------------------------------------------

ip link set lo up
hostname harbour
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p /run/lock /run/user
# Its own view of the control groups. What is made in them does not end with us: it is all below $GROUP, and removed by our caller.
groups=/sys/fs/cgroup view=$WORK/groups
if [[ ! -e $groups/cgroup.controllers ]]; then
    mkdir -p "$view"
    mount -t tmpfs -o mode=755 tmpfs "$view"
    for hierarchy in "$groups"/*; do
        # crun refuses the unified hierarchy beside those of version 1.
        if ! mountpoint -q "$hierarchy" || [[ $NAME == crun && $hierarchy == */unified ]]; then continue; fi
        mkdir "$view/${hierarchy##*/}"
        mount --bind "$hierarchy" "$view/${hierarchy##*/}"
    done
    mount --rbind "$view" "$groups"
fi
mount --make-rshared /

# ---- the words of a check ------------------------------------------------------------

passed=0 failed=()

# check WHAT COMMAND...: the command succeeds, within a minute.
check() { expect 0 '' "$@"; }

# says PATTERN WHAT COMMAND...: it succeeds, and all it says matches the extended regular expression.
says() { expect 0 "$@"; }

# ends CODE WHAT COMMAND...: it ends with this code.
ends() { local code=$1; shift; expect "$code" '' "$@"; }

# expect CODE PATTERN WHAT COMMAND...
expect() {
    local code=$1 pattern=$2 what=$3 rc=0 said
    shift 3
    # Not behind `||`: bash would ignore `set -e` in a function that is called there.
    set +e
    said=$(set -e && limited "$@" 2>&1)
    rc=$?
    set -e
    if [[ $rc == "$code" ]] && { [[ -z $pattern ]] || grep -qE -- "$pattern" <<<"$said"; }; then
        passed=$((passed + 1))
        echo "ok      $what"
        return
    fi
    failed+=("$what")
    echo "FAILED  $what"
    local call="$*"
    echo "        ${call:0:2000}"
    echo "        ended with $rc instead of $code${pattern:+, or did not say $pattern}:"
    tail -n 12 <<<"$said" | sed 's/^/        | /'
}

# A function of the file, or a program: each within a minute.
limited() {
    if [[ $(type -t "$1") == function ]]; then
        ("$@")
    else
        timeout --kill-after 5 "${LIMIT:-60}" "$@"
    fi
}

# until_so COMMAND...: as soon as it succeeds; fails after half a minute.
until_so() {
    local end=$((SECONDS + 30))
    until "$@" >/dev/null 2>&1; do
        ((SECONDS < end)) || return 1
        busybox usleep 50000
    done
}

# at_a_terminal COMMAND...: with a terminal of its own as input and output.
at_a_terminal() {
    local line
    printf -v line '%q ' "$@"
    script --quiet --return --command "$line" /dev/null </dev/null
}

# shellcheck source=/dev/null
. "$1"

echo "$passed checks passed, ${#failed[@]} failed"
for what in "${failed[@]}"; do echo "failed: $what"; done
((${#failed[@]} == 0))
