"""Addresses that are told what happens, and the messages to them."""

from groundwork.database.revision import apply

revision = "0023"
down_revision = "0022"

SQL = """
create table webhooks (
  id text primary key,
  user_id text not null references users (id) on delete cascade,
  group_id text references groups (id),
  url text not null,
  kinds text not null,
  sealed_secret bytea not null,
  failing_since bigint,
  off_why text not null,
  revision integer not null check (revision >= 1),
  created_at bigint not null,
  updated_at bigint not null
);
create index webhooks_by_user on webhooks (user_id);
create index webhooks_by_group on webhooks (group_id) where group_id is not null;

create table webhook_deliveries (
  id text primary key,
  webhook_id text not null references webhooks (id) on delete cascade,
  kind text not null,
  subject_id text not null,
  state text not null check (state in ('waiting', 'sending', 'arrived', 'failed', 'dropped')),
  tries integer not null check (tries >= 0),
  status integer,
  why text not null,
  created_at bigint not null,
  settled_at bigint,
  revision integer not null check (revision >= 1),
  check ((settled_at is null) = (state in ('waiting', 'sending')))
);
create index webhook_deliveries_of on webhook_deliveries (webhook_id, id);
create index webhook_deliveries_by_end on webhook_deliveries (settled_at) where settled_at is not null;
create unique index webhook_deliveries_not_begun on webhook_deliveries (webhook_id, kind, subject_id)
  where state = 'waiting' and tries = 0;
"""


def upgrade() -> None:
    apply(SQL)
