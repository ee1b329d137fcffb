"""The rules that a series had before: addresses of dates that were never stored go on leading to the dates after a change."""

from groundwork.database.revision import apply

revision = "0088"
down_revision = "0087"

SQL = """
create table event_series_former_rules (
  series_id text not null references event_series (id),
  revision integer not null,
  starts_local text not null,
  time_zone text not null,
  recurrence_rule text not null,
  recurrence_exceptions text not null,
  recurrence_dates text not null,
  is_all_day integer not null check (is_all_day in (0, 1)),
  left_at bigint not null,
  primary key (series_id, revision)
);
"""


def upgrade() -> None:
    apply(SQL)
