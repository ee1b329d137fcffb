"""Under which names events stood in people's calendars before they moved to another series, or to another date of the same."""

from groundwork.database.revision import apply

revision = "0057"
down_revision = "0056"

SQL = """
create table event_former_places (
  event_id text not null references events (id),
  series_id text not null,
  original_date text not null,
  time_zone text not null,
  is_all_day integer not null check (is_all_day in (0, 1)),
  sequence integer not null,
  left_at bigint not null,
  primary key (event_id, series_id, original_date)
);
"""


def upgrade() -> None:
    apply(SQL)
