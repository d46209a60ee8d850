#!/bin/sh
# Rates the default listener with testssl and sslscan, Debian's packages. testssl rates from version 3.2 on; where this
# system's is older, the package of Debian's next release is unpacked into a temporary folder (it is a script, for any system).
set -eu
here="$(dirname -- "$0")"
sh "$here/ensure-runtime.sh"
sh "$here/ensure-package.sh" 'sslscan --version' sslscan 'the TLS rating'
sh "$here/ensure-package.sh" 'dig -v' bind9-dnsutils 'the TLS rating'

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
program=$(command -v testssl || true)
case "$([ -n "$program" ] && "$program" --version 2>/dev/null | grep -oE 'testssl +[0-9.]+' | grep -oE '[0-9.]+$' || true)" in
  3.[2-9]* | [4-9]*) ;;
  *)
    mkdir -p "$folder/lists/partial" "$folder/cache/archives/partial"
    keys=/usr/share/keyrings/debian-archive-keyring.gpg
    echo "deb [signed-by=$keys] http://deb.debian.org/debian trixie main" >"$folder/sources.list"
    apt() {
      apt-get -o Dir::Etc::SourceList="$folder/sources.list" -o Dir::Etc::SourceParts=/dev/null \
        -o Dir::State::Lists="$folder/lists" -o Dir::Cache="$folder/cache" -o APT::Sandbox::User=root -qq "$@"
    }
    apt update
    (cd "$folder" && apt download testssl.sh)
    dpkg-deb -x "$folder"/testssl.sh_*.deb "$folder/testssl"
    program="$folder/testssl/usr/bin/testssl"
    export TESTSSL_INSTALL_DIR="$folder/testssl/etc/testssl"
    ;;
esac
"$here/../node_modules/.bin/node" "$here/grade-tls.ts" "$program"
