#!/bin/sh
# The tests order certificates from an authority of their own.
set -eu
exec sh "$(dirname -- "$0")/ensure-package.sh" 'command -v pebble && command -v pebble-challtestsrv' pebble 'the test suite'
