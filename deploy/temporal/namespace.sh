#!/bin/sh
# The namespace of the runs, once the server's services have found each other. Safe to run again.
set -eu
namespace=${TEMPORAL_NAMESPACE:-default}
attempts=60
until temporal operator namespace describe --namespace "$namespace" >/dev/null 2>&1 ||
  temporal operator namespace create --namespace "$namespace" --retention 30d; do
  attempts=$((attempts - 1))
  [ "$attempts" -gt 0 ] || exit 1
  sleep 2
done
