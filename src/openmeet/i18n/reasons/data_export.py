"""Messages of the reasons of ``openmeet.domain.data_export.reasons``."""

from collections.abc import Mapping
from typing import Final

from openmeet.i18n.reasons.message import Message, mark

MESSAGES: Final[Mapping[str, Message]] = {
    "data_export.person_is_here": mark(
        "Somebody is here under the id in this document, with another e-mail address and other identities."
    ),
    "data_export.nobody_answered": mark("Nobody answered."),
    "data_export.not_here": mark("It is not here."),
    "data_export.row_of_another_person": mark("%(table)s has a row of somebody else."),
    "data_export.email_taken": mark("Somebody else has this e-mail address here."),
    "data_export.nobody_asked_to_join": mark("Nobody asked to join."),
    "data_export.no_such_person": mark("There is no such person."),
    "data_export.not_of_one_person": mark("This is not an export of one person."),
    "data_export.no_person_named": mark("This document does not say whose it is."),
    "data_export.rows_not_a_list": mark("%(table)s is not a list of rows."),
    "data_export.unknown_columns": mark("%(table)s has columns that are unknown here; use the release that made it."),
    "data_export.series_in_a_circle": mark("Series refer to each other in a circle."),
    "data_export.unreadable_value": mark("%(where)s holds a value that no export holds."),
    "data_export.unreadable_bytes": mark("%(where)s holds bytes that cannot be read."),
    "data_export.not_of_a_site": mark("This is not an export of a whole site."),
    "data_export.too_new": mark("This export was made by a newer release; take it in with that one."),
    "data_export.not_empty": mark("There is a site in that database already; name an empty one."),
    "data_export.not_an_export": mark("This is not an export. An export has one JSON object on each line."),
    "data_export.rows_in_a_circle": mark("Rows of %(label)s refer to each other in a circle."),
    "data_export.incomplete": mark("The export is incomplete: its end or some rows are missing."),
    "data_export.line_too_long": mark("A line of an export has at most %(most)s MB."),
    "data_export.unknown_line": mark("Line %(number)s does not belong to an export."),
    "data_export.unknown_table": mark("%(table)s does not belong in an export."),
    "data_export.other_columns": mark("%(where)s has other columns than this table: %(columns)s."),
    "data_export.damaged": mark("The export is damaged: %(problem)s."),
    "data_export.cannot_follow": mark("You can’t follow this person."),
}
