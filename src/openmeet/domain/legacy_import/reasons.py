"""Reasons for refusals and invalid input in legacy imports."""

from groundwork.errors import Reason


class LegacyImportReason(Reason):
    """Reason codes; their messages are in ``i18n/reasons/calendars.py``."""

    YEAR_OUT_OF_RANGE = "legacy_import.year_out_of_range"
    UNKNOWN_ROW = "legacy_import.unknown_row"
    NO_SUCH_FILE = "legacy_import.no_such_file"
    MALFORMED_TIME = "legacy_import.malformed_time"
    NOT_JSON = "legacy_import.not_json"
    DATABASE_UNREACHABLE = "legacy_import.database_unreachable"
    LINE_TOO_LONG = "legacy_import.line_too_long"
    NOTHING_IMPORTED = "legacy_import.nothing_imported"
    NOT_THE_OLDER_MODEL = "legacy_import.not_the_older_model"
    BUILT_UPON = "legacy_import.built_upon"
