"""What can be undone of a series, who goes to all of it, who is offered it, and what is known of its dates beside."""

from groundwork.database.revision import apply

revision = "0015"
down_revision = "0014"

SQL = """
create table event_series_undos (
  id text primary key,
  series_id text not null references event_series (id),
  made text references event_series (id),
  act text not null,
  is_silent integer not null check (is_silent in (0, 1)),
  kept text not null,
  created_at bigint not null,
  expires_at bigint not null,
  undone_at bigint
);
create index event_series_undos_by_series on event_series_undos (series_id, created_at, id);
create index event_series_undos_by_made on event_series_undos (made) where made is not null;
create index event_series_undos_by_expiry on event_series_undos (expires_at);

create table event_series_answers (
  series_id text not null references event_series (id),
  user_id text not null references users (id),
  with_limited integer not null check (with_limited in (0, 1)),
  created_at bigint not null,
  primary key (series_id, user_id)
);
create index event_series_answers_by_user on event_series_answers (user_id, series_id);

create table event_series_offers (
  series_id text primary key references event_series (id),
  from_user_id text not null references users (id),
  to_user_id text not null references users (id),
  created_at bigint not null,
  check (from_user_id <> to_user_id)
);
create index event_series_offers_by_person on event_series_offers (to_user_id, series_id);

create index event_series_by_group on event_series (group_id) where group_id is not null;

alter table events add column is_cancelled_with_series integer not null default 0
  check (is_cancelled_with_series in (0, 1));
alter table events add column completed_at bigint;
create index events_to_complete on events (over_at) where series_id is not null and completed_at is null;
"""


def upgrade() -> None:
    apply(SQL)
