#!/bin/sh
# Installs a Debian package where a check fails, and says nothing where it holds. It may do so only as root on a system
# with apt-get; anywhere else it says in one sentence what to install.
#
#   sh scripts/ensure-package.sh "CHECK COMMAND" PACKAGE "WHAT FOR"
set -eu
check=$1 package=$2 purpose=$3

sh -c "$check" >/dev/null 2>&1 </dev/null && exit 0

if ! command -v apt-get >/dev/null 2>&1; then
  echo "$purpose needs \"$package\" (its name on Debian); install it with this system's package manager." >&2
  exit 1
fi
if [ "$(id -u)" -ne 0 ]; then
  echo "$purpose needs \"$package\"; only root may install it: sudo apt-get install $package" >&2
  exit 1
fi

echo "installing $package: $purpose needs it"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
# RUNLEVEL=1 keeps a package from starting its service: only the program is wanted.
install() {
  RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=120 install -y -qq \
    --no-install-recommends "$package" </dev/null >>"$log" 2>&1
}
if ! install; then
  apt-get update -qq </dev/null >>"$log" 2>&1 || true
  if ! install; then
    tail -n 20 "$log" >&2
    echo "$package could not be installed." >&2
    exit 1
  fi
fi
if ! sh -c "$check" >/dev/null 2>&1 </dev/null; then
  echo "$package is installed, but \"$check\" still fails." >&2
  exit 1
fi
