"""Printable guest list: everyone who is going, sorted by name, each with a box to tick on paper."""

import unicodedata
from itertools import groupby
from typing import Final
from unicodedata import combining

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from openmeet.domain.attendance import host_decisions, lists, queries
from openmeet.domain.attendance.lists import AttendeeFilter, AttendeeRow
from openmeet.domain.attendance.model import AnswerMode, AttendanceStatus
from openmeet.domain.events.model import EventSlug
from openmeet.domain.events.time_and_place import place_label, tagged, zone_label
from openmeet.domain.identities.queries import shown_names
from openmeet.web.site.caller import caller_of
from openmeet.web.site.layout import page
from openmeet.web.site.tenant_routing import database_of

# About 40 sheets of paper. Larger events check in by ticket, and the CSV file has the complete list.
MOST_ON_PAPER: Final = 1_000
# Longer lists are divided by initial letters.
MOST_WITHOUT_LETTERS: Final = 25


def routes() -> list[Route]:
    return [Route("/events/{slug}/guest-list", show, methods=["GET"])]


async def show(request: Request) -> Response:
    """The printable guest list, for hosts. It has at most a thousand RSVPs."""
    async with database_of(request).reader() as reader:
        event = await host_decisions.find_for_host(reader, caller_of(request), EventSlug(request.path_params["slug"]))
        attendee_filter = AttendeeFilter((AttendanceStatus.ATTENDING, AttendanceStatus.ATTENDED))
        rows = await lists.for_hosts(reader, event.id, attendee_filter, None, MOST_ON_PAPER)
        names = await shown_names(reader, [row.user_id for row in rows])
        counts = (await queries.counts(reader, [event.id]))[event.id]
    people = sorted((lists.shown(row, names) for row in rows), key=_sorted_by)
    context = {
        "event": event,
        "when": tagged(event),
        "zone_label": zone_label(event),
        "place": place_label(event),
        "letters": [(letter, list(of_letter)) for letter, of_letter in groupby(people, _letter)]
        if len(people) > MOST_WITHOUT_LETTERS
        else [("", people)] * bool(people),
        "count": len(people),
        "counts": counts,
        "online": AnswerMode.ONLINE,
        "is_cut": len(rows) == MOST_ON_PAPER,
    }
    return page(request, "attendance/guest_list.html", context, headers={"cache-control": "no-store"})


def _sorted_by(row: AttendeeRow) -> str:
    """Sort key that ignores accents, as in a telephone book: Åsa is listed under A."""
    return "".join(char for char in unicodedata.normalize("NFKD", row.name.strip()) if not combining(char)).casefold()


def _letter(row: AttendeeRow) -> str:
    first = _sorted_by(row)[:1].upper()
    return first if first.isalpha() else "#"
