"""What of the synchronisation is switched on, and who switched it."""

from groundwork.database.revision import apply

revision = "0028"
down_revision = "0027"

SQL = """
create table feature_flags (
  name text primary key,
  is_on integer not null check (is_on in (0, 1)),
  changed_at bigint not null
);

create table feature_flag_changes (
  id text primary key,
  name text not null,
  is_on integer not null check (is_on in (0, 1)),
  changed_by text not null check (changed_by <> ''),
  why text not null,
  changed_at bigint not null
);
create index feature_flag_changes_by_time on feature_flag_changes (changed_at, id);
"""


def upgrade() -> None:
    apply(SQL)
