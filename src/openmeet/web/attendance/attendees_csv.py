"""The host's attendee list as CSV (RFC 4180), safe to open in spreadsheets, made page by page."""

import asyncio
import csv
import io
import itertools
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from typing import Final, TextIO

from groundwork.database.transaction import Database, Reader
from openmeet.domain.attendance import host_list, registration, rsvp_details, rsvp_list_texts
from openmeet.domain.attendance.model import AttendanceId
from openmeet.domain.attendance.rsvp_details import DetailsForHosts
from openmeet.domain.attendance.rsvp_list import RsvpListEntry
from openmeet.domain.events.model import Event, EventId
from openmeet.domain.identities.queries import shown_names
from openmeet.domain.users.model import UserId
from openmeet.i18n import formatting
from openmeet.i18n.catalogue import lazy
from openmeet.web.attendance.forms import MODE_LABELS

# Rows that are in memory at the same time.
_ROWS_PER_PAGE: Final = 2_000
# Ids that are in memory at the same time. Each page of ids sorts the whole list, so it has more of them.
_IDS_PER_PAGE: Final = 20_000

# Characters that start a formula or a new cell in spreadsheets; the wide ones do in Japanese and Chinese ones.
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")

_HEADINGS = (
    lazy("Name"),
    lazy("Answer"),
    lazy("People"),
    lazy("Guests they bring"),
    lazy("Takes part"),
    lazy("Answered"),
    lazy("Checked in"),
)


async def csv_parts(db: Database, event: Event) -> AsyncIterator[str]:
    """The list as CSV, in parts: one row per RSVP, with the responses to the host's questions. It has no e-mail
    addresses, which hosts may not see.

    It lists the RSVPs that there were when the export began, in their order at that time. An RSVP that is deleted
    meanwhile can be missing.
    """
    # People move while the file is read, so their order is stored. A temporary file holds any number of them.
    with (
        tempfile.TemporaryFile("w+", encoding="ascii") as ids_file,
        tempfile.TemporaryFile("w+", encoding="ascii") as responding_file,
    ):
        async with db.reader() as reader:
            event_registration = await registration.registration_of(reader, event)
            await _store_ids(reader, event.id, ids_file, responding_file)
        questions = {(question.id, question.words): None for question in event_registration.settings.questions}
        # Responses to changed or deleted questions get their own columns at the end.
        for ids in _pages(responding_file):
            async with db.reader() as reader:
                details = await rsvp_details.details_for_hosts(reader, event_registration, ids)
            questions |= dict.fromkeys(
                (response.question_id, response.question_text) for one in details.values() for response in one.responses
            )
        yield _csv_of_rows([[*map(str, _HEADINGS), *(words for _, words in questions)]])
        for ids in _pages(ids_file):
            async with db.reader() as reader:
                found = {one.attendance_id: one for one in await host_list.entries_by_ids(reader, event.id, ids)}
                names = await shown_names(reader, [one.user_id for one in found.values()])
                details = await rsvp_details.details_for_hosts(reader, event_registration, list(found))
            people = [found[rsvp_id] for rsvp_id in ids if rsvp_id in found]
            # This takes 50 ms for a page. A thread keeps the event loop free for other requests.
            yield await asyncio.to_thread(_csv_of_entries, people, names, details, list(questions))


async def _store_ids(reader: Reader, event_id: EventId, all_ids: TextIO, responding: TextIO) -> None:
    """Write the ids of all RSVPs, and of those with responses to questions, in the order of the list."""
    after = None
    while page := await host_list.positions(reader, event_id, after, _IDS_PER_PAGE):
        after = page[-1].cursor
        all_ids.writelines(f"{one.cursor.attendance_id}\n" for one in page)
        responding.writelines(f"{one.cursor.attendance_id}\n" for one in page if one.has_responses)


def _pages(ids_file: TextIO) -> Iterator[list[AttendanceId]]:
    ids_file.seek(0)
    while lines := list(itertools.islice(ids_file, _ROWS_PER_PAGE)):
        yield [AttendanceId(line.rstrip("\n")) for line in lines]


def _csv_of_entries(
    entries: Sequence[RsvpListEntry],
    names: Mapping[UserId, str],
    details: Mapping[AttendanceId, DetailsForHosts],
    questions: Sequence[tuple[str, str]],
) -> str:
    rows = []
    for entry in entries:
        text = rsvp_list_texts.text_of(entry, names)
        checked_in_at = details[entry.attendance_id].checked_in_at
        responses = {
            (response.question_id, response.question_text): response.text
            for response in details[entry.attendance_id].responses
        }
        rows.append(
            [
                text.name,
                text.status_words,
                str(text.party),
                ", ".join(text.companion_names),
                MODE_LABELS[text.mode] if text.mode else "",
                formatting.iso(entry.answered_at),
                formatting.iso(checked_in_at) if checked_in_at else "",
                *(responses.get(question, "") for question in questions),
            ]
        )
    return _csv_of_rows(rows)


def _csv_of_rows(rows: Sequence[Sequence[object]]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    writer.writerows([_escaped_cell(str(cell)) for cell in row] for row in rows)
    return out.getvalue()


def _escaped_cell(cell: str) -> str:
    """The text of a cell, prefixed if spreadsheets would read it as a formula."""
    return f"'{cell}" if cell.lstrip(" ").startswith(_FORMULA_STARTS) else cell
