"""Guests from Matrix, the Matrix rooms that people are invited to, when mirroring of a room began, and who is notified
of moderation.
"""

from groundwork.database.revision import engine, execute

revision = "0027"
down_revision = "0026"

_TABLES = (
    """
    create table matrix_guests (
      room_id text not null references chat_rooms (id) on delete cascade,
      mxid text not null,
      state text not null check (state in ('invited', 'removed', 'banned')),
      is_due integer not null default 0 check (is_due in (0, 1)),
      membership text not null default '',
      reason text not null default '',
      by_user_id text references users (id),
      at bigint not null,
      primary key (room_id, mxid)
    )
    """,
    "create index matrix_guests_by_account on matrix_guests (mxid)",
    "create index matrix_guests_by_person on matrix_guests (by_user_id) where by_user_id is not null",
    """
    create table matrix_choices (
      room_id text not null references chat_rooms (id) on delete cascade,
      user_id text not null references users (id),
      wish text not null check (wish in ('invite', 'stop')),
      is_due integer not null default 0 check (is_due in (0, 1)),
      primary key (room_id, user_id)
    )
    """,
    "create index matrix_choices_of_person on matrix_choices (user_id)",
    "alter table chat_rooms add column matrix_since bigint",
    "create index chat_reactions_from_matrix on chat_reactions (external_id) where external_id is not null",
    "create index chat_messages_of_guest on chat_messages (matrix_sender, said_at) where matrix_sender is not null",
)

# A person, event or series that a moderator of the community hides or shows. If it is given as a DID, all of that DID's
# items.
_ON_STATES = """
    insert into chat_access_changes (user_id, event_id, series_id, group_id)
    select case {row}.thing when 'person' then {row}.subject
                            when 'did' then (select max(i.user_id) from identities i where i.did = {row}.subject) end,
           case {row}.thing when 'event' then {row}.subject end, case {row}.thing when 'series' then {row}.subject end,
           case {row}.thing when 'group' then {row}.subject end
     where {row}.thing in ('person', 'did', 'event', 'series', 'group') and exists (select 1 from chat_rooms)"""
# The name of an event, and who may see it.
_ON_EVENTS = """
    insert into chat_access_changes (event_id)
    select {row}.id where exists (select 1 from chat_rooms r where r.event_id = {row}.id)"""
_ON_SERIES = """
    insert into chat_access_changes (series_id) select {row}.id where exists (select 1 from chat_rooms)"""
_ON_GROUPS = """
    insert into chat_access_changes (group_id) select {row}.id where exists (select 1 from chat_rooms)"""
# The name under which a person's messages appear in Matrix.
_ON_NAMES = """
    insert into chat_access_changes (user_id)
    select {row}.id where exists (select 1 from matrix_people p where p.user_id = {row}.id)"""
_COLUMNS_OF_EVENTS = "title, visibility, author_id, group_id, is_held, deleted_at, removed_at"
_COLUMNS_OF_SERIES = "name, template, user_id, group_id, deleted_at"
_COLUMNS_OF_GROUPS = "name, visibility, owner_id, deleted_at"

_TRIGGERS = (
    ("chat_access_states_added", "moderation_states", "insert", "new", _ON_STATES),
    ("chat_access_states_changed", "moderation_states", "update of state", "new", _ON_STATES),
    ("chat_access_states_removed", "moderation_states", "delete", "old", _ON_STATES),
    ("chat_access_events_changed", "events", f"update of {_COLUMNS_OF_EVENTS}", "new", _ON_EVENTS),
    ("chat_access_event_series_changed", "event_series", f"update of {_COLUMNS_OF_SERIES}", "new", _ON_SERIES),
    ("chat_access_names_changed", "users", "update of display_name", "new", _ON_NAMES),
    ("chat_access_groups_changed", "groups", f"update of {_COLUMNS_OF_GROUPS}", "new", _ON_GROUPS),
)


def _changed(when: str) -> str:
    """SQL condition: one of the columns has a new value. It is needed because every update of a row sets all of them."""
    if not when.startswith("update of "):
        return ""
    different = "is distinct from" if engine() == "postgresql" else "is not"
    names = when.removeprefix("update of ").split(", ")
    return f" when ({' or '.join(f'new.{name} {different} old.{name}' for name in names)})"


def upgrade() -> None:
    for statement in _TABLES:
        execute(statement)
    for name, table, when, row, insert in _TRIGGERS:
        body = insert.format(row=row)
        if engine() == "postgresql":
            execute(
                f"create function {name}() returns trigger language plpgsql set search_path from current as $$"
                f" begin {body}; return null; end $$"
            )
            execute(
                f"create trigger {name} after {when} on {table} for each row{_changed(when)} execute function {name}()"
            )
        else:
            execute(f"create trigger {name} after {when} on {table}{_changed(when)} begin {body}; end")
