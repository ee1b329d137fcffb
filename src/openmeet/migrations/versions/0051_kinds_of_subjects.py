"""Rename columns of moderation: what kind of subject it is about, and what somebody wrote in a report.

SQLite renames them in its triggers too. PostgreSQL keeps the text of functions, so these are written again.
"""

from typing import Final

from groundwork.database.revision import engine, execute

revision = "0051"
down_revision = "0050"

_WITH_KIND: Final = ("moderation_states", "reports", "user_mutes")
# As in 0027, with the column's new name. The row that has it: new or old.
_FUNCTIONS: Final = {
    "chat_access_states_added": "new",
    "chat_access_states_changed": "new",
    "chat_access_states_removed": "old",
}
_BODY: Final = """
    insert into chat_access_changes (user_id, event_id, series_id, group_id)
    select case {row}.kind when 'person' then {row}.subject
                           when 'did' then (select max(i.user_id) from identities i where i.did = {row}.subject) end,
           case {row}.kind when 'event' then {row}.subject end, case {row}.kind when 'series' then {row}.subject end,
           case {row}.kind when 'group' then {row}.subject end
     where {row}.kind in ('person', 'did', 'event', 'series', 'group') and exists (select 1 from chat_rooms)"""


def upgrade() -> None:
    for table in (*_WITH_KIND, "moderation_log"):
        execute(f"alter table {table} rename column thing to kind")
    for table in ("reports", "chat_reports"):
        execute(f"alter table {table} rename column words to comment")
    if engine() != "postgresql":
        return
    for table in _WITH_KIND:
        execute(f"alter table {table} rename constraint {table}_thing_check to {table}_kind_check")
    for name, row in _FUNCTIONS.items():
        execute(
            f"create or replace function {name}() returns trigger language plpgsql set search_path from current as $$"
            f" begin {_BODY.format(row=row)}; return null; end $$"
        )
