"""The list of answers as CSV (RFC 4180), safe to be opened by spreadsheets: no cell can be a formula."""

import csv
import io

import msgspec

from groundwork.database.transaction import Reader
from openmeet.attendance import joining_queries, lists
from openmeet.attendance.answer_form import MODE_WORDS
from openmeet.attendance.lists import Wanted
from openmeet.attendance.model import AttendanceStatus
from openmeet.events.model import Event
from openmeet.identities.names import shown_names
from openmeet.site import times

# More than any list is long; bounds what one file holds.
_MOST = 50_000

# What spreadsheets take for the beginning of a formula or of another cell.
_TREACHEROUS = ("=", "+", "-", "@", "\t", "\r", "\n")

_HEAD = ("Name", "Answer", "People", "Who comes along", "Takes part", "Answered", "Checked in")


async def written(reader: Reader, event: Event) -> str:
    """Every answer, one row each, with what was said to the host's questions. No addresses: those are not the host's."""
    joining = await joining_queries.of_event(reader, event)
    people = await lists.managed(reader, event.id, Wanted(tuple(AttendanceStatus)), None, _MOST)
    names = await shown_names(reader, [one.user_id for one in people])
    more = {row["id"]: row for row in await lists.replies_of(reader, event.id)}
    out = io.StringIO()
    writer = csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    writer.writerow([safe(text) for text in (*_HEAD, *(question.words for question in joining.questions))])
    for one in people:
        line = lists.shown(one, names)
        row = more[one.attendance_id]
        replies = msgspec.json.decode(row["replies"], type=dict[str, str])
        cells = [
            line.name,
            line.status_words,
            str(line.party),
            ", ".join(line.guest_names),
            MODE_WORDS[line.mode] if line.mode else "",
            times.iso(one.answered_at),
            times.iso(row["checked_in_at"]) if row["checked_in_at"] and one.status is AttendanceStatus.ATTENDED else "",
            *(replies.get(question.id, "") for question in joining.questions),
        ]
        writer.writerow([safe(cell) for cell in cells])
    return out.getvalue()


def safe(cell: str) -> str:
    """The text, with a mark before it that makes spreadsheets take it for one."""
    return f"'{cell}" if cell.lstrip(" ").startswith(_TREACHEROUS) else cell
