"""What a crowd is yet to be told of acts on a series, and how far that has come."""

from groundwork.database.revision import apply

revision = "0047"
down_revision = "0046"

SQL = """
create table event_series_tellings (
  id text primary key,
  series_id text not null references event_series (id),
  telling text not null,
  told_until text not null,
  created_at bigint not null
);
create index event_series_tellings_by_series on event_series_tellings (series_id, created_at, id);
"""


def upgrade() -> None:
    apply(SQL)
