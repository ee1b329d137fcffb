"""Secret addresses by which members read the calendar of their group."""

from groundwork.database.revision import apply

revision = "0077"
down_revision = "0076"

SQL = """
create table group_calendar_feeds (
  group_id text not null references groups (id) on delete cascade,
  user_id text not null references users (id) on delete cascade,
  serial integer not null check (serial >= 1),
  token_hash bytea unique,
  created_at bigint not null,
  primary key (group_id, user_id)
);
create index group_calendar_feeds_by_user on group_calendar_feeds (user_id);
"""


def upgrade() -> None:
    apply(SQL)
