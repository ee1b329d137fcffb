"""Messages of the reasons of ``openmeet.domain.legacy_import.reasons``."""

from collections.abc import Mapping
from typing import Final

from openmeet.i18n.reasons.message import Message, mark

MESSAGES: Final[Mapping[str, Message]] = {
    "legacy_import.year_out_of_range": mark("%(label)s is not between %(first_year)s and %(last_year)s: %(value)s."),
    "legacy_import.unknown_row": mark('Line %(number)s of the dump is not {"table": …, "row": {…}}.'),
    "legacy_import.no_such_file": mark("There is no file %(text)s, and it is not a postgresql:// address."),
    "legacy_import.malformed_time": mark("%(label)s is not a time: %(value)s."),
    "legacy_import.not_json": mark("Line %(number)s of the dump is not JSON: %(wrong)s."),
    "legacy_import.database_unreachable": mark("The older database cannot be reached: %(failure)s."),
    "legacy_import.line_too_long": mark("Line %(number)s of the dump has more than %(most)s bytes."),
    "legacy_import.nothing_imported": mark("Nothing was imported from %(source)s."),
    "legacy_import.not_the_older_model": mark("This is not a database of the older model: nothing in %(tables)s."),
    "legacy_import.built_upon": mark("It can’t be undone any more. Since then, %(changes)s."),
}
