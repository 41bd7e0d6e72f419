#!/usr/bin/env bash
# Install the system packages of a section of system-packages.txt that are missing, or name them.
#
#   scripts/system.sh demo|test|nightly|bench
#
# Nothing happens when all are there. Services that a package would start (nginx, Redis, PostgreSQL, RabbitMQ)
# are not needed running: the tests start their own on free ports. They are asked not to start; where the
# machine starts them all the same, or they fail to start, that does no harm here.
set -euo pipefail

section=${1:?"name a section: demo, test, nightly or bench"}
list=$(dirname "$0")/system-packages.txt
PATH=$PATH:/usr/sbin:/sbin

present() {
    case $1 in
        */*) compgen -G "$1" >/dev/null ;;
        *) command -v "$1" >/dev/null ;;
    esac
}

# Prints the packages of the section whose sign (second word) is not on this machine.
missing() {
    local in=no package sign
    while read -r package sign; do
        case $package in
            '' | '#'*) ;;
            "[all]" | "[$section]") in=yes ;;
            '['*) in=no ;;
            *) if [ "$in" = yes ] && ! present "$sign"; then echo "$package"; fi ;;
        esac
    done <"$list"
}

if ! grep -qxF "[$section]" "$list"; then
    echo "There is no section [$section] in $list." >&2
    exit 2
fi

wanted=$(missing)
[ -n "$wanted" ] || exit 0
wanted=$(echo "$wanted" | tr '\n' ' ')

if [ "$(id -u)" = 0 ]; then
    as_root=(env)
elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
    as_root=(sudo -n env)
else
    as_root=()
fi
if [ ${#as_root[@]} = 0 ] || ! command -v apt-get >/dev/null; then
    echo "These system packages are missing: $wanted" >&2
    echo "Install them (as root: apt-get install --no-install-recommends $wanted) and try again." >&2
    exit 1
fi

echo "Installing system packages: $wanted"
# RUNLEVEL=1 keeps init scripts from starting services while packages are set up.
log=$(mktemp)
trap 'rm -f "$log"' EXIT
apt=("${as_root[@]}" DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get -qq -o Dpkg::Use-Pty=0)
# shellcheck disable=SC2086 - the names are words
if ! "${apt[@]}" install -y --no-install-recommends $wanted >"$log" 2>&1; then
    # The package lists may be old or empty, as on a fresh image.
    "${apt[@]}" update >>"$log" 2>&1 || true
    # shellcheck disable=SC2086
    "${apt[@]}" install -y --no-install-recommends $wanted >>"$log" 2>&1 || true
fi

# A package whose service could not start counts as broken for dpkg, but its command is there and that is enough.
left=$(missing | tr '\n' ' ')
if [ -n "$left" ]; then
    tail -n 20 "$log" >&2
    echo "These system packages could not be installed: $left" >&2
    exit 1
fi
