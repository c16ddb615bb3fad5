#!/bin/sh
# Temporal's two databases on PostgreSQL, made or brought to the schema of this version. Safe to run again.
set -eu
SQL_PASSWORD=$(cat /run/secrets/postgres_password)
export SQL_PASSWORD
for database in temporal temporal_visibility; do
  temporal-sql-tool --database "$database" create
  temporal-sql-tool --database "$database" setup-schema --version 0.0
done
versioned() { printf '/etc/temporal/schema/postgresql/v12/%s/versioned' "$1"; }
temporal-sql-tool --database temporal update-schema --schema-dir "$(versioned temporal)"
temporal-sql-tool --database temporal_visibility update-schema --schema-dir "$(versioned visibility)"
