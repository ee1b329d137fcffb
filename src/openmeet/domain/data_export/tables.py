"""The tables in a person's export, as ``personal_data`` defines them with the owners of their rows; and why an export or
import is refused.
"""

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from groundwork.errors import InvalidInput, Reason
from openmeet.domain.personal_data.model import PersonExport
from openmeet.domain.personal_data.tables import ALL_TABLES, TABLES


class DataExportReason(Reason):
    """Why an export, or a row of one, is refused or cannot be read. The messages are in ``i18n/reasons/accounts.py``."""

    PERSON_IS_HERE = "data_export.person_is_here"
    NOBODY_ANSWERED = "data_export.nobody_answered"
    NOT_HERE = "data_export.not_here"
    ROW_OF_ANOTHER_PERSON = "data_export.row_of_another_person"
    EMAIL_TAKEN = "data_export.email_taken"
    NOBODY_ASKED_TO_JOIN = "data_export.nobody_asked_to_join"
    NOT_OF_ONE_PERSON = "data_export.not_of_one_person"
    NO_PERSON_NAMED = "data_export.no_person_named"
    ROWS_NOT_A_LIST = "data_export.rows_not_a_list"
    UNKNOWN_COLUMNS = "data_export.unknown_columns"
    SERIES_IN_A_CIRCLE = "data_export.series_in_a_circle"
    UNREADABLE_VALUE = "data_export.unreadable_value"
    UNREADABLE_BYTES = "data_export.unreadable_bytes"
    NOT_OF_A_SITE = "data_export.not_of_a_site"
    TOO_NEW = "data_export.too_new"
    NOT_EMPTY = "data_export.not_empty"
    NOT_AN_EXPORT = "data_export.not_an_export"
    ROWS_IN_A_CIRCLE = "data_export.rows_in_a_circle"
    INCOMPLETE = "data_export.incomplete"
    LINE_TOO_LONG = "data_export.line_too_long"
    UNKNOWN_LINE = "data_export.unknown_line"
    UNKNOWN_TABLE = "data_export.unknown_table"
    OTHER_COLUMNS = "data_export.other_columns"
    DAMAGED = "data_export.damaged"
    CANNOT_FOLLOW = "data_export.cannot_follow"


@dataclass(frozen=True, slots=True)
class ExportedTable:
    """The rows of a table that belong to the user (``where``).

    ``needs`` maps columns to the table in which their row must exist before a row is imported. ``nulled_if_missing`` lists
    columns that are set to null if their row is missing, ``without`` columns that are never exported. ``below`` is for
    tables without a user column: the column that refers to the parent, and a query for the ids of the user's parents.
    """

    table: str
    where: str
    needs: Mapping[str, str]
    nulled_if_missing: Mapping[str, str]
    without: tuple[str, ...] = ()
    below: tuple[str, str] | None = None

    @property
    def name(self) -> str:
        """The table's name in exports, which stays the same when the table is renamed."""
        return _NAMES.get(self.table, self.table)


_NAMES: Final[Mapping[str, str]] = {
    "attendance_history": "attendance_changes",
    "event_co_hosts": "event_hosts",
    "event_series_standing_rsvps": "event_series_answers",
    "host_messages": "event_messages",
    "profile_followers": "person_followers",
    "registration_settings": "joining_settings",
    "user_blocks": "person_blocks",
    "user_mutes": "mutes",
}


def _part(
    table: str,
    needs: Mapping[str, str] | None = None,
    nulled_if_missing: Mapping[str, str] | None = None,
    below: tuple[str, str] | None = None,
) -> ExportedTable:
    stored = TABLES[table]
    without = tuple(name for group in stored.columns if not group.is_exported for name in group.names)
    return ExportedTable(table, stored.exported_rows, needs or {}, nulled_if_missing or {}, without, below)


_SEARCHES = "select id from saved_searches where user_id = :id"
_HOSTED = """
    select id from events where author_id = :id and origin = 'here'
    union all select id from event_series where user_id = :id
"""


OWN: Final = (
    _part("users"),
    _part(
        "groups",
        {"owner_id": "users", "created_by": "users"},
        {"successor_id": "users", "heir_id": "users", "backup_admin_id": "users", "account_id": "users"},
    ),
    _part("event_series", {"user_id": "users"}, {"split_from": "event_series", "group_id": "groups"}),
    _part("events", {"author_id": "users", "series_id": "event_series"}, {"group_id": "groups"}),
    _part("attendances", {"user_id": "users", "event_id": "events"}),
    _part("event_series_followers", {"user_id": "users", "series_id": "event_series"}),
    _part("event_series_standing_rsvps", {"user_id": "users", "series_id": "event_series"}),
    _part("group_members", {"user_id": "users", "group_id": "groups"}, {"decided_by": "users"}),
    _part("group_followers", {"user_id": "users", "group_id": "groups"}),
    _part("notification_preferences", {"user_id": "users"}),
    _part("notification_hours", {"user_id": "users"}),
    _part("record_preferences", {"user_id": "users"}),
    _part("profile_followers", {"user_id": "users", "followed_id": "users"}),
    _part("saved_searches", {"user_id": "users"}),
    _part("saved_search_keys", below=("search_id", _SEARCHES)),
    # One column refers to either an event or a series, so there is no foreign key.
    _part("registration_settings", below=("subject_id", _HOSTED)),
    _part("imported_events", {"user_id": "users"}),
)

EXPORT_ONLY: Final = tuple(_part(table.name) for table in ALL_TABLES if table.export is PersonExport.READABLE)


Value = int | str | bytes | None


def to_json(value: Value) -> Any:
    return {"$bytes": base64.b64encode(value).decode()} if isinstance(value, bytes | memoryview) else value


def from_json(value: Any, where: str) -> Value:
    """Convert a JSON value. Raises InvalidInput for a value that no export contains."""
    match value:
        case bool() | float():
            raise InvalidInput("file", DataExportReason.UNREADABLE_VALUE, where=where)
        case None | int() | str():
            return value
        case {"$bytes": str() as text}:
            try:
                return base64.b64decode(text, validate=True)
            except binascii.Error:
                raise InvalidInput("file", DataExportReason.UNREADABLE_BYTES, where=where) from None
        case _:
            raise InvalidInput("file", DataExportReason.UNREADABLE_VALUE, where=where)


def camel(name: str) -> str:
    """The JSON name of a column."""
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)


def object_of(columns: Sequence[str], row: Sequence[Value]) -> dict[str, Any]:
    return {camel(name): to_json(value) for name, value in zip(columns, row, strict=True)}


def row_of(columns: Sequence[str], json_row: Mapping[str, Any], where: str) -> list[Value]:
    """Return the values in column order. Raises InvalidInput if the columns differ."""
    names = [camel(name) for name in columns]
    if sorted(names) != sorted(json_row):
        wrong_names = ", ".join(sorted(set(names) ^ set(json_row)))
        raise InvalidInput("file", DataExportReason.OTHER_COLUMNS, where=where, columns=wrong_names)
    return [from_json(json_row[name], where) for name in names]
