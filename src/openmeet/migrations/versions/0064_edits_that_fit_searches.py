"""A public event that says something else than before is compared with kept searches, too: it may fit only now.

Whatever statement changes it, the engines note it, as they note a new one (migration 0049). Nobody is told of one event twice; who
follows its host heard of it when it was new.
"""

from alembic import op

from groundwork.database.revision import apply, engine

revision = "0064"
down_revision = "0063"

# As it was: whoever's search it fitted then is told nothing.
SQL = """
alter table new_events add column was_words text;
alter table new_events add column was_mode text;
alter table new_events add column was_starts_local text;
alter table new_events add column was_x bigint;
alter table new_events add column was_y bigint;
alter table new_events add column was_z bigint;
"""
_NOTE = """
    insert into new_events (event_id, since, look_at, after_person, was_words, was_mode, was_starts_local, was_x, was_y, was_z)
    values (new.id, new.updated_at, new.updated_at + 300000000, null, old.search_words, old.mode, old.starts_local,
            old.place_x, old.place_y, old.place_z)
        on conflict (event_id) do nothing
"""
_IS_SHOWN = "new.visibility = 'public' and new.is_held = 0 and old.visibility = 'public' and old.is_held = 0"


def _differs(distinct: str) -> str:
    """``distinct``: what each engine calls different, nothing included."""
    names = ("search_words", "mode", "starts_local", "place_x", "place_y", "place_z")
    return "(" + " or ".join(f"new.{name} {distinct} old.{name}" for name in names) + ")"


COLUMNS = "search_words, mode, starts_local, place_x, place_y, place_z"
FOR_SQLITE = f"""
    create trigger new_events_edited after update of {COLUMNS} on events when {_IS_SHOWN} and {_differs("is not")}
    begin {_NOTE}; end
"""
FOR_POSTGRESQL = f"""
create function note_edited_event() returns trigger language plpgsql set search_path from current as $$
begin
    {_NOTE};
    return null;
end
$$;
create trigger new_events_edited after update of {COLUMNS} on events
    for each row when ({_IS_SHOWN} and {_differs("is distinct from")}) execute function note_edited_event();
"""


def upgrade() -> None:
    apply(SQL)
    if engine() == "sqlite":
        op.get_bind().exec_driver_sql(FOR_SQLITE)
    else:
        apply(FOR_POSTGRESQL)
