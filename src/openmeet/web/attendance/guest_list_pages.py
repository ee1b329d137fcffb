"""The printable guest list, for hosts."""

import unicodedata
from itertools import groupby
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from openmeet.domain.attendance import host_decisions, host_list, queries, rsvp_list_texts
from openmeet.domain.attendance.host_list import HostListFilter
from openmeet.domain.attendance.model import SEATED_STATUSES, AttendanceMode
from openmeet.domain.attendance.rsvp_list_texts import RsvpListText
from openmeet.domain.events.time_and_place import place_label
from openmeet.domain.identities.queries import shown_names
from openmeet.i18n.catalogue import gettext
from openmeet.web.attendance.view import is_over_or_cancelled
from openmeet.web.media.subject import subject_of_event
from openmeet.web.site.caller import caller_of
from openmeet.web.site.layout import page
from openmeet.web.site.reader_zone import zone_of
from openmeet.web.site.slugs import event_slug_of
from openmeet.web.site.tenant_routing import database_of
from openmeet.web.site.time_tags import span_tags

# About 40 sheets of paper. Larger events check in by ticket, and the CSV file has the complete list.
MAX_ON_PAPER: Final = 1_000
# Longer lists are divided by initial letters.
MAX_WITHOUT_LETTERS: Final = 25


def routes() -> list[Route]:
    return [Route("/events/{slug}/guest-list", show, methods=["GET"])]


async def show(request: Request) -> Response:
    """The names of everyone who is going, for at most ``MAX_ON_PAPER`` RSVPs."""
    async with database_of(request).reader() as reader:
        event = await host_decisions.find_hosted_event(reader, caller_of(request), event_slug_of(request))
        found = await host_list.entries(reader, event.id, HostListFilter(SEATED_STATUSES), None, MAX_ON_PAPER + 1)
        rows = found[:MAX_ON_PAPER]
        names = await shown_names(reader, [row.user_id for row in rows])
        counts = (await queries.counts(reader, [event.id]))[event.id]
    people = sorted((rsvp_list_texts.text_of(row, names) for row in rows), key=_list_order)
    context = {
        "event": event,
        "subject": subject_of_event(event, reader.now).page("attendees", gettext("Guests")),
        "when": span_tags(event),
        "zone": zone_of(event),
        "place": place_label(event),
        "letters": [(letter, list(of_letter)) for letter, of_letter in groupby(people, _initial)]
        if len(people) > MAX_WITHOUT_LETTERS
        else [("", people)] * bool(people),
        "count": len(people),
        "counts": counts,
        "online": AttendanceMode.ONLINE,
        "is_cut": len(found) > MAX_ON_PAPER,
        "is_over_or_cancelled": is_over_or_cancelled(event, reader.now),
    }
    return page(request, "attendance/guest_list.html", context, headers={"cache-control": "no-store"})


def _list_order(row: RsvpListText) -> tuple[bool, str, str]:
    """Sort key of a row. Names that begin with no letter come first: some signs would be sorted between or after the
    letters.
    """
    initial = _initial(row)
    return initial != "#", initial, _sort_key(row)


def _sort_key(row: RsvpListText) -> str:
    """Sort key of the guest list. It ignores accents, as in a telephone book: Åsa is listed under A."""
    return "".join(
        char for char in unicodedata.normalize("NFKD", row.name.strip()) if not unicodedata.combining(char)
    ).casefold()


def _initial(row: RsvpListText) -> str:
    """The letter under which the guest list has this row; ``#`` for names that begin with no letter."""
    first = _sort_key(row)[:1].upper()
    return first if first.isalpha() else "#"
