"""The host's attendee list as CSV (RFC 4180), safe to open in spreadsheets."""

import asyncio
import csv
import io
from collections.abc import Mapping, Sequence

from groundwork.database.transaction import Reader
from openmeet.domain.attendance import lists, registration, rsvp_details
from openmeet.domain.attendance.lists import Attendee, AttendeeFilter
from openmeet.domain.attendance.model import AttendanceId, AttendanceStatus
from openmeet.domain.attendance.rsvp_details import AttendeeDetails
from openmeet.domain.events.model import Event
from openmeet.domain.identities.queries import shown_names
from openmeet.domain.users.model import UserId
from openmeet.i18n import formatting
from openmeet.i18n.catalogue import lazy
from openmeet.web.attendance.forms import MODE_LABELS

# Limits the size of a file. No real list is this long.
_MAX_ROWS = 50_000

# Characters that start a formula or a new cell in spreadsheets.
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")

_HEADINGS = (
    lazy("Name"),
    lazy("Answer"),
    lazy("People"),
    lazy("Guests they bring"),
    lazy("Takes part"),
    lazy("Answered"),
    lazy("Checked in"),
)


async def csv_of(reader: Reader, event: Event) -> str:
    """The list as CSV: one row per RSVP, with the responses to the host's questions. It has no e-mail addresses, which
    hosts may not see.
    """
    registration_settings = await registration.of_event(reader, event)
    people = await lists.for_hosts(reader, event.id, AttendeeFilter(tuple(AttendanceStatus)), None, _MAX_ROWS)
    names = await shown_names(reader, [one.user_id for one in people])
    details = await rsvp_details.of_answers(reader, event.id, registration_settings)
    current = [(question.id, question.words) for question in registration_settings.questions]
    # Responses to changed or deleted questions get their own columns at the end.
    answered = [(one.question_id, one.words) for of_one in details.values() for one in of_one.responses]
    questions = list(dict.fromkeys([*current, *answered]))
    # This takes half a second for 20,000 people. A thread keeps the event loop free for other requests.
    return await asyncio.to_thread(_table, people, names, details, questions)


def _table(
    people: Sequence[Attendee],
    names: Mapping[UserId, str],
    details: Mapping[AttendanceId, AttendeeDetails],
    questions: Sequence[tuple[str, str]],
) -> str:
    out = io.StringIO()
    writer = csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    writer.writerow([_escaped_cell(str(text)) for text in (*_HEADINGS, *(words for _, words in questions))])
    for one in people:
        row = lists.shown(one, names)
        details_of_one = details[one.attendance_id]
        responses = {(response.question_id, response.words): response.text for response in details_of_one.responses}
        cells = [
            row.name,
            row.status_words,
            str(row.party),
            ", ".join(row.guest_names),
            MODE_LABELS[row.mode] if row.mode else "",
            formatting.iso(one.answered_at),
            formatting.iso(details_of_one.checked_in_at) if details_of_one.checked_in_at else "",
            *(responses.get(question, "") for question in questions),
        ]
        writer.writerow([_escaped_cell(str(cell)) for cell in cells])
    return out.getvalue()


def _escaped_cell(cell: str) -> str:
    """The text of a cell, prefixed if spreadsheets would read it as a formula."""
    return f"'{cell}" if cell.lstrip(" ").startswith(_FORMULA_STARTS) else cell
