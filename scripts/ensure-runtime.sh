#!/bin/sh
# Checks that the Node that npm scripts use can run the gateway: the one pinned in node_modules where there is one for
# this platform, else the system's. The pinned one needs the system's libatomic, which minimal installations lack.
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
pinned=$root/node_modules/.bin/node

if [ -x "$pinned" ]; then
  sh "$root/scripts/ensure-package.sh" "\"$pinned\" --version" libatomic1 "Node (node_modules/.bin/node)"
  exit 0
fi
if ! command -v node >/dev/null 2>&1; then
  echo "Node is missing: run npm ci first, or install Node 24.7 or later." >&2
  exit 1
fi
if ! node -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 24 || (a === 24 && b >= 7) ? 0 : 1)'; then
  echo "Node $(node --version) is too old and no pinned one is installed: run npm ci (on Linux x64), or install Node 24.7 or later." >&2
  exit 1
fi
