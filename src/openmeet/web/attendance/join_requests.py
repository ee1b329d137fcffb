"""Requests to join, as rows with decision buttons. Shown on the event page and on the list of events that a user hosts."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from groundwork.database.transaction import Reader
from openmeet.domain.attendance import activity, lists, rsvp_details
from openmeet.domain.attendance.model import AttendanceId
from openmeet.domain.attendance.registration import RegistrationSettings
from openmeet.domain.events.model import Event, EventId
from openmeet.domain.identities.queries import shown_names
from openmeet.domain.users.model import UserId
from openmeet.web.attendance import activity_view
from openmeet.web.site.faces import Avatar, avatar_of, portraits_of

# More rows would push everything else off the page. A link leads to the full list.
MAX_JOIN_REQUESTS: Final = 4


@dataclass(frozen=True, slots=True)
class JoinRequestRow:
    """A request to join. ``responses`` has the answers to the host's questions. ``title`` is the event's title, for lists
    of several events. ``past`` says how often the person came to the viewer's latest events.
    """

    attendance_id: AttendanceId
    slug: str
    title: str
    name: str
    face: Avatar
    party: int
    responses: str = ""
    past: str = ""


async def oldest_join_requests(
    reader: Reader, events: Sequence[Event], host: UserId, settings: RegistrationSettings | None = None
) -> list[JoinRequestRow]:
    """The oldest requests, at most ``MAX_JOIN_REQUESTS``. If there is only one event, pass its registration settings as
    ``settings`` to show the responses. ``host`` is the id of the viewer.
    """
    requests = await lists.join_requests(reader, [one.id for one in events], MAX_JOIN_REQUESTS)
    names = await shown_names(reader, [one.user_id for _, one in requests])
    past = await activity.past_attendance(reader, host, people=[one.user_id for _, one in requests])
    portraits = await portraits_of(reader, host, [one.user_id for _, one in requests])
    by_id: dict[EventId, Event] = {one.id: one for one in events}
    response_texts: dict[AttendanceId, str] = {}
    if settings is not None and requests:
        ids = [one.attendance_id for _, one in requests]
        details = await rsvp_details.of_answers(reader, events[0].id, settings, ids)
        response_texts = {one: " · ".join(reply.text for reply in of.responses) for one, of in details.items()}
    return [
        JoinRequestRow(
            one.attendance_id,
            by_id[event_id].slug,
            by_id[event_id].title,
            names[one.user_id],
            avatar_of(one.user_id, names[one.user_id], portraits),
            one.party,
            response_texts.get(one.attendance_id, ""),
            activity_view.attendance_words(past.get(one.user_id)),
        )
        for event_id, one in requests
    ]
