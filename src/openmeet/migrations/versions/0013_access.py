"""Tokens that people make for programs, and requests that carry a key."""

from groundwork.database.revision import apply

revision = "0013"
down_revision = "0012"

SQL = """
create table api_tokens (
  id text primary key,
  token_hash bytea not null unique,
  user_id text not null references users (id) on delete cascade,
  name text not null,
  scopes text not null,
  created_at bigint not null,
  expires_at bigint,
  last_used_at bigint,
  revoked_at bigint
);
create index api_tokens_by_user on api_tokens (user_id, created_at, id);

create table idempotency_keys (
  user_id text not null references users (id) on delete cascade,
  request_key text not null,
  digest bytea not null,
  status integer check (status is null or status between 200 and 299),
  answer bytea,
  created_at bigint not null,
  primary key (user_id, request_key),
  check ((status is null) = (answer is null))
);
create index idempotency_keys_by_age on idempotency_keys (created_at);
"""


def upgrade() -> None:
    apply(SQL)
