"""Photos of events, which moderators can hide and people can report.

A row without an event will be deleted together with its files.
"""

from typing import Final

from alembic import op

from groundwork.database.revision import apply, engine, execute

revision = "0042"
down_revision = "0041"

_TABLE: Final = """
create table event_photos (
  key text primary key,
  event_id text references events (id) on delete set null,
  user_id text not null references users (id),
  caption text not null,
  digest text not null,
  width integer not null check (width > 0),
  height integer not null check (height > 0),
  size bigint not null check (size > 0),
  created_at bigint not null,
  constraint event_photos_one_of_each_file unique (event_id, user_id, digest)
);
create index event_photos_by_time on event_photos (event_id, created_at, key);
create index event_photos_of_person on event_photos (user_id);
create index event_photos_of_none on event_photos (created_at, key) where event_id is null;
"""
# The tables whose subjects can now be photos, with the kinds that they allowed so far.
_KINDS: Final = {
    "moderation_states": "('event', 'series', 'group', 'person', 'did', 'host')",
    "reports": "('event', 'series', 'group', 'person')",
}


def upgrade() -> None:
    apply(_TABLE)
    for table, kinds in _KINDS.items():
        allowed = kinds.replace("'person'", "'person', 'photo'")
        if engine() == "postgresql":
            execute(f"alter table {table} drop constraint {table}_thing_check")
            execute(f"alter table {table} add constraint {table}_thing_check check (thing in {allowed})")
        else:
            _recreate(table, kinds, allowed)


def _recreate(table: str, kinds: str, allowed: str) -> None:
    """Create the table again, with its indexes and triggers, because SQLite cannot change a check."""
    rows = op.get_bind().exec_driver_sql(
        f"select type, sql from sqlite_master where tbl_name = '{table}' and sql is not null"
    )
    definitions = [(row.type, row.sql) for row in rows]
    (created,) = [sql for kind, sql in definitions if kind == "table"]
    if kinds not in created:
        raise RuntimeError(f"the definition of {table} does not have the kinds {kinds}")
    execute(f"create table {table}_new ({created.partition('(')[2].replace(kinds, allowed)}")
    execute(f"insert into {table}_new select * from {table}")
    execute(f"drop table {table}")
    execute(f"alter table {table}_new rename to {table}")
    for kind, sql in definitions:
        if kind != "table":
            execute(sql)
