#!/bin/sh
# The tests start Redis processes of their own.
set -eu
exec sh "$(dirname -- "$0")/ensure-package.sh" 'redis-server --version' redis-server 'the test suite'
