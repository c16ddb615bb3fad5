#!/bin/sh
# Makes the passwords that only this stack's own servers know, at random, and takes the ones that you give:
#
#   HARNESS_API_KEY='pat.…' REGISTRY_PASSWORD='…' sh deploy/init-secrets.sh
#
# What is there stays. The folder is closed to others; the files can be read by any user id, since the containers' differ.
set -eu
umask 077
cd "$(dirname "$0")/secrets"
random() { od -An -N24 -tx1 /dev/urandom | tr -d ' \n'; }
keep() {
  if [ -s "$1" ]; then
    echo "$1: kept"
    cat >/dev/null
  else
    cat >"$1"
    chmod 0644 "$1"
    if [ -s "$1" ]; then echo "$1: written"; else echo "$1: empty, $2"; fi
  fi
}
random | keep postgres_password
printf '[default]\naws_access_key_id = %s\naws_secret_access_key = %s\n' "$(random)" "$(random)" | keep s3_credentials
printf '%s' "${REGISTRY_PASSWORD:-}" | keep registry_password 'which is right for a registry without a login'
printf '%s' "${HARNESS_API_KEY:-}" | keep harness_api_key 'put your Harness API key into it'
chmod 0700 .
