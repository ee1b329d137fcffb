"""Those who host an event beside its author."""

from groundwork.database.revision import apply

revision = "0018"
down_revision = "0017"

SQL = """
create table event_hosts (
  id text primary key,
  event_id text not null references events (id),
  user_id text references users (id),
  email text,
  state text not null check (state in ('invited', 'accepted', 'declined', 'left', 'removed')),
  invited_by text not null references users (id),
  created_at bigint not null,
  expires_at bigint not null,
  decided_at bigint,
  unique (event_id, user_id),
  check (user_id is not null or email is not null),
  check (state <> 'accepted' or user_id is not null),
  check ((state = 'invited') = (decided_at is null))
);
create index event_hosts_of_person on event_hosts (user_id, state, event_id);
create index event_hosts_of_event on event_hosts (event_id, state, created_at, id);
"""


def upgrade() -> None:
    apply(SQL)
