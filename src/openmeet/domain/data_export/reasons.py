"""Reasons why an export or import is refused or its input is invalid."""

from groundwork.errors import Reason


class DataExportReason(Reason):
    """Codes; their messages are in ``i18n/reasons/accounts.py``."""

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
