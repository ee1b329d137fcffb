"""Records that a reading could not take over, each for a reason of its own."""

from groundwork.database.revision import apply

revision = "0082"
down_revision = "0080"

SQL = """
create table records_put_aside (
  uri text not null primary key,
  did text not null,
  collection text not null,
  rev text not null,
  step text not null check (step in ('taking', 'mending')),
  reason text not null,
  found_at bigint not null,
  tried_at bigint not null,
  times integer not null check (times >= 1)
);
create index records_put_aside_by_repository on records_put_aside (did, step);
"""


def upgrade() -> None:
    apply(SQL)
