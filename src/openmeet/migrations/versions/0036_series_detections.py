"""Series that were found among single events, and what their authors said about it."""

from groundwork.database.revision import apply

revision = "0036"
down_revision = "0035"

SQL = """
create table series_detections (
  id text primary key,
  user_id text not null references users (id) on delete cascade,
  key text not null,
  state text not null check (state in ('suggested', 'linked', 'accepted', 'refused')),
  series_id text references event_series (id),
  rule text not null,
  time_zone text not null,
  dates text not null,
  missing text not null,
  confidence integer not null check (confidence between 0 and 1000),
  created_at bigint not null,
  updated_at bigint not null,
  unique (user_id, key),
  check (state in ('suggested', 'refused') or series_id is not null)
);
create index series_detections_of_series on series_detections (series_id) where series_id is not null;
"""


def upgrade() -> None:
    apply(SQL)
