"""Calendars that people subscribed to, their dates, and the feeds of people's own events."""

from groundwork.database.revision import apply

revision = "0016"
down_revision = "0015"

SQL = """
create table subscribed_calendars (
  id text primary key,
  user_id text not null references users (id) on delete cascade,
  name text not null,
  host text not null,
  health text not null check (health in ('file', 'fresh', 'failing', 'given_up')),
  problem text not null,
  failures integer not null check (failures >= 0),
  is_busy integer not null check (is_busy in (0, 1)),
  url_sealed bytea,
  digest bytea not null,
  content bytea not null,
  etag text not null,
  last_modified text not null,
  fetched_at bigint,
  changed_at bigint,
  next_fetch_at bigint,
  dates_until bigint not null,
  created_at bigint not null,
  unique (user_id, digest),
  check ((health = 'file') = (url_sealed is null))
);
create index subscribed_calendars_due on subscribed_calendars (next_fetch_at, id) where next_fetch_at is not null;
create index subscribed_calendars_running_out on subscribed_calendars (dates_until, id);

create table subscribed_dates (
  calendar_id text not null references subscribed_calendars (id) on delete cascade,
  number integer not null,
  user_id text not null references users (id) on delete cascade,
  title text not null,
  place text not null,
  starts_at bigint not null,
  ends_at bigint not null,
  time_zone text not null,
  is_all_day integer not null check (is_all_day in (0, 1)),
  is_cancelled integer not null check (is_cancelled in (0, 1)),
  primary key (calendar_id, number),
  check (ends_at >= starts_at)
);
create index subscribed_dates_by_user on subscribed_dates (user_id, starts_at);

create table calendar_feeds (
  user_id text primary key references users (id) on delete cascade,
  serial integer not null check (serial >= 1),
  token_hash bytea unique,
  created_at bigint not null
);
"""


def upgrade() -> None:
    apply(SQL)
