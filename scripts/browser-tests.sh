#!/bin/sh
# Runs the tests in headless Chromium: $CHROMIUM, or Debian's.
set -eu
cd "$(dirname -- "$0")/.."
CHROMIUM="${CHROMIUM:-$(command -v chromium || command -v chromium-browser || command -v google-chrome || true)}"
if [ -z "$CHROMIUM" ]; then
  sh scripts/ensure-chromium.sh
  CHROMIUM=$(command -v chromium)
fi
export CHROMIUM
# One at a time: the tests share what one client address may do.
exec tap run --disable-coverage --jobs=1 "$@" test/browser/*.test.ts
