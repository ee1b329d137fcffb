"""What people decide about records: hosts per event and series, owners for events of members, each for their own."""

from groundwork.database.revision import apply

revision = "0037"
down_revision = "0036"

SQL = """
alter table events add column record_wanted integer not null default 1 check (record_wanted in (0, 1));
alter table events add column record_detail text not null default 'full' check (record_detail in ('full', 'minimal'));
alter table events add column record_announced integer not null default 0 check (record_announced in (0, 1));
alter table events add column record_answers integer not null default 1 check (record_answers in (0, 1));

alter table event_series add column record_wanted integer not null default 1 check (record_wanted in (0, 1));
alter table event_series add column record_detail text not null default 'full' check (record_detail in ('full', 'minimal'));
alter table event_series add column record_announced integer not null default 0 check (record_announced in (0, 1));
alter table event_series add column record_answers integer not null default 1 check (record_answers in (0, 1));

alter table groups add column announces_events integer not null default 0 check (announces_events in (0, 1));

alter table attendances add column skips_record integer not null default 0 check (skips_record in (0, 1));

create table record_preferences (
  user_id text primary key references users (id) on delete cascade,
  writes_events integer not null check (writes_events in (0, 1)),
  writes_answers integer not null check (writes_answers in (0, 1)),
  declined_as text not null check (declined_as in ('notgoing', 'nothing')),
  waiting_as text not null check (waiting_as in ('nothing', 'interested')),
  lets_co_hosts_publish integer not null check (lets_co_hosts_publish in (0, 1)),
  revision integer not null,
  updated_at bigint not null
);

create table co_host_publications (
  id text primary key,
  author_id text not null references users (id) on delete cascade,
  co_host_id text references users (id) on delete set null,
  event_id text not null references events (id) on delete cascade,
  revision integer not null,
  created_at bigint not null
);
create index co_host_publications_of_author on co_host_publications (author_id, created_at, id);
create index co_host_publications_of_co_host on co_host_publications (co_host_id) where co_host_id is not null;
create index co_host_publications_of_event on co_host_publications (event_id);
"""


def upgrade() -> None:
    apply(SQL)
