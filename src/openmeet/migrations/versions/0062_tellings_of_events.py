"""What a crowd is yet to be told of a change of one event, and how far that has come."""

from groundwork.database.revision import apply

revision = "0062"
down_revision = "0061"

SQL = """
create table event_tellings (
  id text primary key,
  event_id text not null references events (id),
  telling text not null,
  told_until text not null,
  created_at bigint not null
);
create index event_tellings_by_event on event_tellings (event_id, created_at, id);
"""


def upgrade() -> None:
    apply(SQL)
