# The words of podman as root, and its image.
# shellcheck shell=bash
# shellcheck disable=SC2034
engine=podman
containers_conf "$PLACE/containers.conf" '[network]' 'network_backend = "netavark"' "network_config_dir = \"$PLACE/networks\""
PODMAN=(/usr/bin/podman --root "$PLACE/storage" --runroot "$PLACE/run" --tmpdir "$PLACE/tmp")
podman() { "${PODMAN[@]}" "$@"; }
run() { podman run --rm --cgroup-parent "/$GROUP" "$@"; }
detached() { podman run --detach --cgroup-parent "/$GROUP" "$@" >/dev/null; }
create() { podman create --cgroup-parent "/$GROUP" "$@" >/dev/null; }
# is CONTAINER FIELD VALUE: what inspect tells.
is() { [[ $(podman inspect --format "{{.$2}}" "$1") == "$3" ]]; }
gone() { ! podman container exists "$1"; }
# away NAME...: ends and removes them.
away() { podman rm --force --time 0 "$@"; }
# What a container was, and may still be for a moment.
nothing() {
    local left processes=(/proc/[0-9]*/cmdline)
    left=$(podman ps --all --noheading; find /sys/fs/cgroup -path "*/$GROUP/*libpod-[0-9a-f]*" -type d
        grep -o " $PLACE/storage/overlay/[^ ]*merged" /proc/self/mounts || :
        grep -ls --fixed-strings --file=- "${processes[@]}" <<<"$RUNTIME" || :; "$RUNTIME" list 2>/dev/null | tail -n +2)
    [[ -z $left ]] || { echo "$left"; return 1; }
}
left() { until_so nothing || nothing; }
check "an image is imported" podman import --change 'ENV PATH=/bin' "$WORK/image.tar" bb
