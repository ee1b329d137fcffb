"""Databases of the older model that were imported, and which of their rows became which."""

from groundwork.database.revision import apply

revision = "0011"
down_revision = "0010"

SQL = """
create table legacy_runs (
  id text primary key,
  source text not null,
  zone text not null,
  state text not null check (state in ('running', 'done', 'rolled_back')),
  expected text not null,
  started_at bigint not null,
  finished_at bigint
);
create unique index legacy_runs_by_source on legacy_runs (source) where state <> 'rolled_back';

create table legacy_rows (
  run_id text not null references legacy_runs (id),
  kind text not null check (kind in ('user', 'known', 'group', 'member', 'series', 'event', 'known_event', 'answer')),
  old_id bigint not null,
  new_id text not null,
  primary key (run_id, kind, old_id)
);
create index legacy_rows_by_new on legacy_rows (run_id, kind, new_id);
create index legacy_rows_by_id on legacy_rows (new_id);
"""


def upgrade() -> None:
    apply(SQL)
