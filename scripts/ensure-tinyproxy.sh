#!/bin/sh
# The tests of services behind a forward proxy start Tinyproxy processes of their own.
set -eu
exec sh "$(dirname -- "$0")/ensure-package.sh" 'tinyproxy -v' tinyproxy-bin 'the test suite'
