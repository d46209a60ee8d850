#!/bin/sh
# Makes what compose.yaml needs and the repository does not hold: a private authority, certificates for Redis and for the
# host names given, and the passwords between the gateway and Redis. Nothing that exists is overwritten.
#
#   sh deploy/make-secrets.sh chat.example.com transcripts.example.local
#
# PORTCULLIS_SECRETS names another folder than deploy/secrets.
set -eu

if [ $# -eq 0 ]; then
  echo "usage: sh deploy/make-secrets.sh HOST [HOST...]   (the host names that the gateway serves)" >&2
  exit 2
fi
for host in "$@"; do
  case $host in
    *[!A-Za-z0-9.-]* | '' | -*) echo "make-secrets: \"$host\" is not a host name" >&2; exit 2 ;;
  esac
done
if ! command -v openssl >/dev/null 2>&1; then
  echo "make-secrets: openssl is missing; install it and try again" >&2
  exit 1
fi

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
folder=${PORTCULLIS_SECRETS:-$here/secrets}
umask 077
mkdir -p "$folder/tls" "$folder/redis"
extensions=$(mktemp)
trap 'rm -f "$extensions"' EXIT

key() { openssl ecparam -name prime256v1 -genkey -noout -out "$1"; }

# certificate PATH-WITHOUT-SUFFIX HOST...: key and certificate, signed by the private authority
certificate() {
  target=$1; shift
  names=
  for host in "$@"; do names="$names${names:+,}DNS:$host"; done
  printf 'basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\nextendedKeyUsage=serverAuth\nsubjectAltName=%s\n' "$names" > "$extensions"
  key "$target.key"
  openssl req -new -key "$target.key" -subj "/CN=$1" -out "$target.csr"
  openssl x509 -req -sha256 -days 365 -in "$target.csr" -CA "$folder/tls/ca.pem" -CAkey "$folder/ca.key" \
    -set_serial "0x$(openssl rand -hex 16)" -extfile "$extensions" -out "$target.pem" 2>/dev/null
  rm -f "$target.csr"
}

hashed() { printf %s "$1" | openssl dgst -sha256 -r | cut -d ' ' -f 1; }

if [ ! -e "$folder/tls/ca.pem" ]; then
  key "$folder/ca.key"
  openssl req -x509 -new -sha256 -days 3650 -key "$folder/ca.key" -subj '/CN=Portcullis private authority' \
    -out "$folder/tls/ca.pem"
  echo "made $folder/ca.key, the key of the private authority: keep it away from this host"
fi
cp "$folder/tls/ca.pem" "$folder/redis/ca.pem"
[ -e "$folder/redis/redis.pem" ] || certificate "$folder/redis/redis" redis
if [ ! -e "$folder/tls/chat.pem" ]; then
  certificate "$folder/tls/chat" "$@"
  echo "made $folder/tls/chat.pem for $*: signed by the private authority; put your own pair in its place for browsers"
fi

if [ ! -e "$folder/redis-url" ]; then
  password=$(openssl rand -hex 32)
  health=$(openssl rand -hex 32)
  printf %s "$health" > "$folder/redis/health-password"
  printf 'rediss://portcullis:%s@redis:6379' "$password" > "$folder/redis-url"
  # The users: none by default, one that may only ask "are you there", and the gateway on its own keys.
  {
    echo 'user default reset off'
    echo "user health reset on #$(hashed "$health") +ping"
    echo "user portcullis reset on #$(hashed "$password") ~portcullis* +@connection -@admin -@dangerous" \
      '+info +eval +evalsha +time' \
      '+get +set +del +pttl +pexpire +hget +hset +hdel +hlen +hscan +hrandfield'
  } > "$folder/redis/users.acl"
fi

chmod 0400 "$folder"/redis-url "$folder"/redis/* "$folder"/tls/*
if [ "$(id -u)" -eq 0 ]; then
  chown 65532:65532 "$folder/redis-url" "$folder/tls" "$folder"/tls/*
  chown -R 999:1000 "$folder/redis"
  [ ! -e "$folder/accounts.json" ] || { chown 65532:65532 "$folder/accounts.json"; chmod 0400 "$folder/accounts.json"; }
else
  echo "The containers run as users 65532 and 999 and must be able to read these files. As root, run:"
  echo "  chown -R 65532:65532 $folder/redis-url $folder/tls && chown -R 999:1000 $folder/redis"
fi
if [ ! -e "$folder/accounts.json" ]; then
  echo "still to make: $folder/accounts.json, who may read transcripts (docs/docker.md, \"First start\")"
fi
