#!/bin/sh
# The browser tests drive a headless Chromium: the one that $CHROMIUM names, or the system's.
set -eu
exec sh "$(dirname -- "$0")/ensure-package.sh" \
  'test -x "$CHROMIUM" || command -v chromium || command -v chromium-browser || command -v google-chrome' \
  chromium 'the browser test suite'
