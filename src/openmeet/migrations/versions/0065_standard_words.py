"""Rename columns to what they contain."""

from typing import Final

import sqlalchemy
from alembic import op

from groundwork.database.revision import engine, execute

revision = "0065"
down_revision = "0064"

# Table, old and new name of a column.
_COLUMNS: Final = (
    ("events", "door_note", "entry_instructions"),
    ("events", "door_audience", "entry_audience"),
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
