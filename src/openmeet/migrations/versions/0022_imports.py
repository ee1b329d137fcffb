"""What arrives from elsewhere: files that wait for a yes, what became of their events, people who may be invited."""

from groundwork.database.revision import apply

revision = "0022"
down_revision = "0021"

SQL = """
create table imports (
  id text primary key,
  user_id text not null references users (id) on delete cascade,
  what text not null check (what in ('events', 'guests', 'members')),
  medium text not null check (medium in ('ics', 'page', 'csv')),
  target text not null,
  source text not null,
  content bytea not null,
  columns text not null,
  outcome text,
  created_at bigint not null,
  expires_at bigint not null
);
create index imports_by_expiry on imports (expires_at);

create table imported_events (
  user_id text not null references users (id) on delete cascade,
  uid text not null,
  made text not null,
  created_at bigint not null,
  primary key (user_id, uid)
);

create table imported_people (
  id text primary key,
  what text not null check (what in ('guests', 'members')),
  target text not null,
  email text not null,
  name text not null,
  status text not null,
  stage text not null check (stage in ('kept', 'invited', 'accepted', 'declined')),
  message text not null,
  invited_by text not null references users (id) on delete cascade,
  invited_at bigint,
  created_at bigint not null,
  unique (what, target, email),
  check (stage <> 'kept' or invited_at is null)
);
create index imported_people_by_stage on imported_people (what, target, stage, id);
"""


def upgrade() -> None:
    apply(SQL)
