"""Rename columns to what they contain, and the state of RSVP records whose event is not known."""

from typing import Final

import sqlalchemy
from alembic import op

from groundwork.database.revision import engine, execute, redefine

revision = "0065"
down_revision = "0064"

# Table, old and new name of a column.
_COLUMNS: Final = (
    ("events", "door_note", "entry_instructions"),
    ("events", "door_audience", "entry_audience"),
    ("records", "standing", "state"),
    ("records", "said_rev", "version_rev"),
    ("records", "after_rev", "previous_known_rev"),
    ("merge_decisions", "after_rev", "previous_known_rev"),
    ("guest_rsvps", "said", "request"),
    ("imported_events", "said", "last_import"),
    ("saved_search_matches", "told_at", "notified_at"),
    ("labels", "heard_at", "received_at"),
    ("chat_rooms", "told_number", "notified_up_to"),
)
# Table, old and new name of a check constraint. SQLite does not use the names that PostgreSQL gives them.
_CHECKS: Final = (("events", "events_door_audience_check", "events_entry_audience_check"),)
# Fields of the content of an event, which other columns name.
_FIELDS: Final = {"door_note": "entry_instructions", "door_audience": "entry_audience"}


def upgrade() -> None:
    for table, old, new in _COLUMNS:
        execute(f"alter table {table} rename column {old} to {new}")
    if engine() == "postgresql":
        for table, old, new in _CHECKS:
            execute(f"alter table {table} rename constraint {old} to {new}")
    _rename_state()
    _rename_overridden_fields()
    for old, new in _FIELDS.items():
        # A quotation mark inside a text has a backslash before it, so that only a key looks like this.
        execute(f"update event_series set template = replace(template, '\"{old}\":', '\"{new}\":')")
        for table, column in (("notifications", "particulars"), ("fan_outs", "notice")):
            execute(
                f"update {table} set {column} = replace({column}, '\"{old}\"', '\"{new}\"') where {column} like '%\"{old}\"%'"
            )
    # They contain the content of events, and are of use for ten minutes.
    execute("delete from event_series_undos")


def _rename_state() -> None:
    execute("drop index records_parked")
    rename = "update records set state = 'awaits_event' where state = 'parked'"
    if engine() == "sqlite":
        execute("pragma ignore_check_constraints = on")
        execute(rename)
        execute("pragma ignore_check_constraints = off")
        redefine("records", "'parked'", "'awaits_event'")
    else:
        execute("alter table records drop constraint records_standing_check")
        execute(rename)
        execute(
            "alter table records add constraint records_state_check"
            " check (state in ('mapped', 'raw', 'awaits_event', 'tombstone'))"
        )
    execute("create index records_awaiting_event on records (first_seen_at) where state = 'awaits_event'")


def _rename_overridden_fields() -> None:
    connection = op.get_bind()
    rows = connection.exec_driver_sql("select id, overridden_fields from events where overridden_fields <> ''")
    renamed = [
        {"id": row.id, "fields": ",".join(sorted(_FIELDS.get(name, name) for name in row.overridden_fields.split(",")))}
        for row in rows
        if _FIELDS.keys() & set(row.overridden_fields.split(","))
    ]
    if renamed:
        connection.execute(sqlalchemy.text("update events set overridden_fields = :fields where id = :id"), renamed)
