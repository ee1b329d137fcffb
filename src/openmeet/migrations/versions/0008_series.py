"""Series of events, those who follow them, and what an event knows of the series that it is a date of."""

from groundwork.database.revision import apply

revision = "0008"
down_revision = "0007"

SQL = """
create table event_series (
  id text primary key,
  slug text not null unique,
  name text not null,
  description text not null,
  time_zone text not null,
  recurrence_rule text not null,
  recurrence_exceptions text not null,
  recurrence_dates text not null,
  starts_local text not null,
  is_all_day integer not null check (is_all_day in (0, 1)),
  duration integer check (duration is null or duration >= 0),
  template text not null,
  status text not null check (status in ('active', 'paused', 'cancelled')),
  status_reason text not null,
  publication_policy text not null check (publication_policy in ('next', 'window', 'none')),
  user_id text not null references users (id),
  group_id text,
  split_from text references event_series (id),
  matrix_room_id text,
  external_id text,
  external_cid text,
  external_source text,
  external_data text,
  is_read_only integer not null default 0 check (is_read_only in (0, 1)),
  revision integer not null check (revision >= 1),
  submission_key text,
  stored_until bigint not null,
  deleted_at bigint,
  created_at bigint not null,
  updated_at bigint not null,
  unique (user_id, submission_key)
);
create index event_series_by_user on event_series (user_id, created_at, id);
create index event_series_by_window on event_series (stored_until, id)
 where status = 'active' and deleted_at is null;
create index event_series_by_origin on event_series (split_from);

create table event_series_followers (
  series_id text not null references event_series (id),
  user_id text not null references users (id),
  notifications_enabled integer not null default 1 check (notifications_enabled in (0, 1)),
  created_at bigint not null,
  updated_at bigint not null,
  primary key (series_id, user_id)
);
create index event_series_followers_by_user on event_series_followers (user_id, series_id);

alter table events add column series_id text references event_series (id);
alter table events add column original_date text;
alter table events add column is_modified_occurrence integer not null default 0
  check (is_modified_occurrence in (0, 1));
alter table events add column overridden_fields text not null default '';
alter table events add column owes_record integer not null default 1 check (owes_record in (0, 1));
alter table events add column external_id text;
alter table events add column external_cid text;
alter table events add column external_data text;
alter table events add column matrix_room_id text;
create unique index events_by_series on events (series_id, original_date);
create index events_of_series_by_start on events (series_id, starts_at, id) where series_id is not null;
"""


def upgrade() -> None:
    apply(SQL)
