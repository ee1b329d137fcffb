"""The list of answers as CSV (RFC 4180), safe to be opened by spreadsheets: no cell can be a formula."""

import csv
import io

from groundwork.database.transaction import Reader
from openmeet.domain.attendance import lists, registration, response_details
from openmeet.domain.attendance.lists import Wanted
from openmeet.domain.attendance.model import AttendanceStatus
from openmeet.domain.events.model import Event
from openmeet.domain.identities.queries import shown_names
from openmeet.i18n import formatting
from openmeet.web.attendance.forms import MODE_WORDS

# More than any list is long; bounds what one file holds.
_MOST = 50_000

# What spreadsheets take for the beginning of a formula or of another cell.
_TREACHEROUS = ("=", "+", "-", "@", "\t", "\r", "\n")

_HEAD = ("Name", "Answer", "People", "Who comes along", "Takes part", "Answered", "Checked in")


async def written(reader: Reader, event: Event) -> str:
    """Every answer, one row each, with what was said to the host's questions. No addresses: those are not the host's."""
    joining = await registration.of_event(reader, event)
    people = await lists.managed(reader, event.id, Wanted(tuple(AttendanceStatus)), None, _MOST)
    names = await shown_names(reader, [one.user_id for one in people])
    more = await response_details.of_answers(reader, event.id, joining)
    asked = [(question.id, question.words) for question in joining.questions]
    # What was asked otherwise, or is not asked any more, has columns of its own behind them: nobody said that to other words.
    everything = (one for particulars in more.values() for one in particulars.told)
    asked = list(dict.fromkeys([*asked, *((one.question_id, one.words) for one in everything)]))
    out = io.StringIO()
    writer = csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    writer.writerow([safe(text) for text in (*_HEAD, *(words for _, words in asked))])
    for one in people:
        line = lists.shown(one, names)
        particulars = more[one.attendance_id]
        replies = {(one.question_id, one.words): one.text for one in particulars.told}
        cells = [
            line.name,
            line.status_words,
            str(line.party),
            ", ".join(line.guest_names),
            MODE_WORDS[line.mode] if line.mode else "",
            formatting.iso(one.answered_at),
            formatting.iso(particulars.checked_in_at) if particulars.checked_in_at else "",
            *(replies.get(question, "") for question in asked),
        ]
        writer.writerow([safe(cell) for cell in cells])
    return out.getvalue()


def safe(cell: str) -> str:
    """The text, with a mark before it that makes spreadsheets take it for one."""
    return f"'{cell}" if cell.lstrip(" ").startswith(_TREACHEROUS) else cell
