"""Photos of events, which moderators can hide and people can report.

A row without an event will be deleted together with its files.
"""

from typing import Final

from groundwork.database.revision import apply, engine, execute, redefine

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
            redefine(table, kinds, allowed)
