"""Query for RSVPs to an event.

Everyone is counted, but only attendees whose own repository has the RSVP are named. Other apps copy the response, and
people who answered only on this site have not agreed to that. The host's choice of who can see the list applies as
well.
"""

from collections.abc import Mapping

from at_protocol.syntax.at_uri import parse_at_uri
from at_protocol.syntax.did import Did, parse_did
from openmeet.domain.attendance import queries as attendance
from openmeet.domain.attendance import registration
from openmeet.domain.attendance.lists import ListedRsvp, listed_rsvps
from openmeet.domain.attendance.model import SEATED, AttendanceStatus
from openmeet.domain.attendance.who_comes import counts_shown, sees_who_comes
from openmeet.domain.events import seeing
from openmeet.domain.events.model import Event
from openmeet.domain.identities.model import Identity
from openmeet.domain.identities.queries import of_users
from openmeet.domain.search import event_lists
from openmeet.domain.search.event_lists import EventCursor
from openmeet.i18n.formatting import iso
from openmeet.network.records.collections import RSVP
from openmeet.web.xrpc.call import LexiconCall, Query
from openmeet.web.xrpc.resolve import event_at
from openmeet.web.xrpc.schemas import AnswerList, AnswerView
from openmeet.web.xrpc.views import counts_of


async def list_answers(call: LexiconCall) -> AnswerList:
    """Answer ``listAnswers``. Raises NotFound (``EventNotFound``), InvalidInput (``InvalidCursor``)."""
    reader = call.reader
    event = await event_at(call, "event")
    counted = (await counts_shown(reader, [event.id]))[event.id]
    if not await _sees_list(call, event):
        return AnswerList(counts=counts_of(counted), answers=[])
    at, limit = event_lists.unpack(call.text("cursor")), call.number("limit")
    after = None if at is None else (at.starts_at, at.event_id)
    rsvps = await listed_rsvps(reader, event.id, after, limit + 1)
    page = rsvps[:limit]
    identities = await of_users(reader, [one.user_id for one in page])
    by_did = {identity.did: identity for several in identities.values() for identity in several}
    cursor = event_lists.pack(EventCursor(page[-1].answered_at, page[-1].id)) if len(rsvps) > limit else None
    return AnswerList(counts=counts_of(counted), answers=[_answer_view(one, by_did) for one in page], cursor=cursor)


async def _sees_list(call: LexiconCall, event: Event) -> bool:
    registration_settings = await registration.of_event(call.reader, event)
    own_rsvp = None if call.viewer is None else await attendance.find(call.reader, event.id, call.viewer)
    if sees_who_comes(registration_settings, is_going=own_rsvp is not None and own_rsvp.status in SEATED):
        return True
    return bool(await seeing.managed_among(call.reader, [event], call.viewer))


def _answer_view(rsvp: ListedRsvp, by_did: Mapping[Did, Identity]) -> AnswerView:
    did = parse_did(parse_at_uri(rsvp.record_uri).authority)
    identity = by_did.get(did)
    return AnswerView(
        uri=rsvp.record_uri,
        did=did,
        # The display name from the network. Users may not want their name on this site to be linked to their DID.
        handle=(identity.handle or None) if identity else None,
        display_name=identity.display_name if identity else "",
        status=f"{RSVP}#interested" if rsvp.status is AttendanceStatus.INTERESTED else f"{RSVP}#going",
        standing=_standing(rsvp.status),
        answered_at=iso(rsvp.answered_at),
    )


def _standing(status: AttendanceStatus) -> str:
    return "unconfirmed" if status is AttendanceStatus.PENDING else "confirmed"


QUERIES = (Query("listAnswers", list_answers),)
