"""What comparing repositories with what is kept here found."""

from groundwork.database.revision import apply

revision = "0038"
down_revision = "0037"

SQL = """
create table discrepancies (
  uri text not null,
  kind text not null,
  did text not null,
  found_at bigint not null,
  seen_at bigint not null,
  repaired_at bigint,
  times integer not null check (times >= 1),
  primary key (uri, kind)
);
create index discrepancies_by_repository on discrepancies (did);
create index discrepancies_by_time on discrepancies (repaired_at, seen_at);
"""


def upgrade() -> None:
    apply(SQL)
