"""Credentials of programs that work for the installation."""

from groundwork.database.revision import apply

revision = "0034"
down_revision = "0033"

SQL = """
create table service_credentials (
  token_hash bytea primary key,
  id text not null unique,
  name text not null check (name <> ''),
  scopes text not null,
  created_at bigint not null,
  last_used_at bigint,
  revoked_at bigint
);
"""


def upgrade() -> None:
    apply(SQL)
