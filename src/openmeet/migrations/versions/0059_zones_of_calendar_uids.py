"""Zone and kind of the original start as parts of a retired identity in calendar files.

Dates with a zone of their own, or that are whole days in a series with times or the reverse, were sent with an original
start in their own form instead of that of their series. These entries are retired, so that the next e-mail replaces
them. An offset was written as if the start were in UTC.
"""

from groundwork.database.revision import apply, engine

revision = "0059"
down_revision = "0058"

# SQLite cannot change a primary key.
KEY_SQLITE = """
create table retired_calendar_uids_new (
  event_id text not null references events (id),
  series_id text not null,
  original_date text not null,
  time_zone text not null,
  is_all_day integer not null check (is_all_day in (0, 1)),
  sequence integer not null,
  left_at bigint not null,
  primary key (event_id, series_id, original_date, time_zone, is_all_day)
);
insert into retired_calendar_uids_new (event_id, series_id, original_date, time_zone, is_all_day, sequence, left_at)
  select event_id, series_id, original_date, time_zone, is_all_day, sequence, left_at from retired_calendar_uids;
drop table retired_calendar_uids;
alter table retired_calendar_uids_new rename to retired_calendar_uids;
create index retired_calendar_uids_by_name on retired_calendar_uids (series_id, original_date);
"""
KEY_POSTGRES = """
alter table retired_calendar_uids drop constraint retired_calendar_uids_pkey;
alter table retired_calendar_uids
  add constraint retired_calendar_uids_pkey primary key (event_id, series_id, original_date, time_zone, is_all_day);
"""
# Single events have no original start.
SINGLE = "update retired_calendar_uids set time_zone = '', is_all_day = 0 where series_id = ''"
# These were sent in the same wrong way.
OFFSETS = "update retired_calendar_uids set time_zone = 'UTC' where substr(time_zone, 1, 1) in ('+', '-')"
SENT = """
insert into retired_calendar_uids (event_id, series_id, original_date, time_zone, is_all_day, sequence, left_at)
  select id, series_id, original_date, sent_zone, is_all_day,
         number + coalesce((select max(f.sequence) from retired_calendar_uids f where f.series_id = sent.series_id
                               and f.original_date = sent.original_date), 0) + 1, updated_at
    from (select e.id, e.series_id, e.original_date, e.is_all_day, e.updated_at, e.revision + s.revision as number,
                 case when substr(e.time_zone, 1, 1) in ('+', '-') then 'UTC' else e.time_zone end as sent_zone,
                 s.time_zone as zone, s.is_all_day as is_of_days
            from events e join event_series s on s.id = e.series_id
           where e.original_date <> e.id
             and exists (select 1 from attendances a where a.event_id = e.id and a.calendar_entry <> '')) sent
   where sent_zone <> zone or is_all_day <> is_of_days
      on conflict (event_id, series_id, original_date, time_zone, is_all_day) do nothing
"""


def upgrade() -> None:
    apply(KEY_SQLITE if engine() == "sqlite" else KEY_POSTGRES)
    apply(SINGLE)
    apply(OFFSETS)
    apply(SENT)
