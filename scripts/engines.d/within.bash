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
# podman's locks live here, by a name that other processes of the machine may have.
mount -t tmpfs -o mode=1777 tmpfs /dev/shm
# What an engine writes for a moment, or to its usual place although it was told another, goes with its folder.
export TMPDIR=$PLACE/scratch
mkdir -m 1777 "$TMPDIR"
# conmon notes that memory was short where it was started.
cd "$PLACE"
mkdir -p "$PLACE"/lib/{upper,work}
mount -t overlay -o "lowerdir=/var/lib,upperdir=$PLACE/lib/upper,workdir=$PLACE/lib/work" overlay /var/lib
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

passed=0 failed=() excused=0
# What the file calls its engine by, for the words below.
engine=''

# check WHAT COMMAND...: the command succeeds, within a minute, or the seconds of $LIMIT.
check() { expect 0 '' "$@"; }

# says PATTERN WHAT COMMAND...: it succeeds, and a line of what it says matches the extended regular expression.
says() { expect 0 "$@"; }

# ends CODE WHAT COMMAND...: it ends with this code.
ends() { local code=$1; shift; expect "$code" '' "$@"; }

# not_with NAMES REASON CHECK...: these runtimes are known not to pass it; that one of them does is an error of this list.
not_with() {
    local reason='' always=1
    [[ ! $NAME =~ ^($1)$ ]] || reason=$2
    "${@:3}"
}
# not_always_with NAMES REASON CHECK...: they pass it or not, as it happens.
not_always_with() {
    local reason='' always=''
    [[ ! $NAME =~ ^($1)$ ]] || reason=$2
    "${@:3}"
}

# skipped WHAT REASON: a check that this machine does not allow.
skipped() { echo "skipped $1: $2"; }

# expect CODE PATTERN WHAT COMMAND...
expect() {
    local code=$1 pattern=$2 what=$3 rc=0 good='' took=${EPOCHREALTIME/./}
    shift 3
    limited "$@"
    if [[ $rc == "$code" ]] && { [[ -z $pattern ]] || grep -qaE -- "$pattern" "$said"; }; then good=1; fi
    took=$(((${EPOCHREALTIME/./} - took) / 100000))
    ((took < 10)) && took='' || took=" (${took%?}.${took: -1} s)"
    if [[ -n $good && ( -z ${reason:-} || -z $always ) ]]; then
        passed=$((passed + 1))
        echo "ok      $what$took"
    elif [[ -n $good ]]; then
        failed+=("$what")
        echo "FAILED  $what: passes with $NAME, of which another thing is known: $reason"
    elif [[ -n ${reason:-} && $rc != late ]]; then
        excused=$((excused + 1))
        echo "known   $what: not with $NAME: $reason$took"
    else
        failed+=("$what")
        echo "FAILED  $what$took"
        local call="$*"
        echo "        ${call:0:2000}"
        echo "        ended with $rc instead of $code${pattern:+, or did not say $pattern}:"
        tail -n 12 "$said" | sed 's/^/        | /'
    fi
}

# limited COMMAND...: leaves its exit code in $rc, late when its time was over, and what it said in the file $said. To a file,
# and not through a pipe: who goes on in the background would hold up the check by it.
said=$PLACE/said
# Nobody ever writes to it.
mkfifo "$PLACE/silence"
exec {silence}<>"$PLACE/silence"
limited() {
    # Bash lets what it starts in the background ignore these two.
    (trap - INT QUIT; exec {silence}>&-; set -e; "$@") >"$said" 2>&1 &
    local job=$! timer first
    (read -r -t "${LIMIT:-60}" -u "$silence") &
    timer=$! rc=0
    # Not in a builtin that waits for something else: until its end Bash would leave the dead, whose parent it is here, as they are.
    wait -n -p first "$job" "$timer" || rc=$?
    if [[ $first == "$timer" ]]; then
        rc=late
        # shellcheck disable=SC2046
        kill -KILL $(tree "$job") 2>/dev/null || :
    else
        kill -KILL "$timer" 2>/dev/null || :
    fi
    wait "$job" "$timer" 2>/dev/null || :
}
# tree PID: it and what has come of it.
tree() {
    local pid
    echo "$1"
    grep -ls "^PPid:.$1\$" /proc/[0-9]*/status | while IFS=/ read -r _ _ pid _; do tree "$pid"; done || :
}

# within SECONDS COMMAND...: as soon as it succeeds; fails when they are over.
within() {
    local end=$((SECONDS + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        ((SECONDS < end)) || return 1
        busybox usleep 50000
    done
}
until_so() { within 30 "$@"; }

# not COMMAND...: it fails, and what it says is to be looked at.
not() { ! "$@"; }
# nothing_there COMMAND...: it succeeds, and says nothing.
nothing_there() { local found; found=$("$@") && echo "$found" && [[ -z $found ]]; }
# lines COMMAND...: what it says, in one line.
lines() { "$@" | tr '\n' ,; }

# at_a_terminal PROGRAM...: with a terminal of its own, of 33 lines and 77 columns, at which nobody types. The end of an input
# would be typed, as a character.
at_a_terminal() {
    local line
    printf -v line '%q ' "$@"
    SHELL=$BASH script --quiet --return --command "stty rows 33 cols 77 && exec $line" /dev/null <>"$PLACE/silence"
}

# at_once NUMBER COMMAND...: so many at a time, each of which is told its number and shall end with it.
at_once() {
    local i rc=0 got pids=() count=$1
    shift
    for ((i = 1; i <= count; i++)); do "$@" "$i" & pids+=($!); done
    for ((i = 1; i <= count; i++)); do
        got=0
        wait "${pids[i - 1]}" || got=$?
        ((got == i)) || { echo "number $i ended with $got"; rc=1; }
    done
    return "$rc"
}

# of_group ID CONTROLLER FILE FILE_OF_VERSION_2: what it says in the control group of a container.
of_group() {
    if [[ -e /sys/fs/cgroup/cgroup.controllers ]]; then
        cat "/sys/fs/cgroup/$GROUP/$1/$4"
    else
        cat "/sys/fs/cgroup/$2/$GROUP/$1/$3"
    fi
}

# logged NAME PATTERN: a container of $engine has said it.
logged() { grep -qE -- "$2" <<<"$("$engine" logs "$1" 2>&1)"; }

# containers_conf FILE [LINE...]: what podman and buildah are to know.
containers_conf() {
    cat >"$1" <<CONF
[containers]
# The default raises limits, for which not everybody has the right.
default_ulimits = ["nofile=1000:1000", "nproc=4000:4000"]
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime = "$NAME"
runtime_supports_json = ["coracle", "crun", "runc"]
runtime_supports_nocgroup = ["coracle", "crun"]
[engine.runtimes]
$NAME = ["$RUNTIME"]
CONF
    printf '%s\n' "${@:2}" >>"$1"
    export CONTAINERS_CONF=$1
}

# ---- the checks ----------------------------------------------------------------------

done=''
summary() {
    [[ -n $done ]] || failed+=("all that comes after: it ended before its end")
    echo "$passed checks passed, ${#failed[@]} failed, $excused known not to pass with $NAME"
    local what
    for what in "${failed[@]}"; do echo "failed: $what"; done
}
trap summary EXIT
# shellcheck source=/dev/null
. "$1"
done=1
((${#failed[@]} == 0))
