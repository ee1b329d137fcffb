"""People who ask to join, as rows with the decision in place: on the event page, and on the page of what somebody hosts."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from groundwork.database.transaction import Reader
from groundwork.ui.tones import tone_of
from openmeet.domain.attendance import lists, response_details
from openmeet.domain.attendance.model import AttendanceId
from openmeet.domain.attendance.registration import RegistrationSettings
from openmeet.domain.events.model import Event, EventId
from openmeet.domain.identities.queries import shown_names

# More would push everything else off the page: a link leads to all.
MOST_ASKING: Final = 4


@dataclass(frozen=True, slots=True)
class AskingRow:
    """A person who asks for a place. ``said``: their responses to the host's questions. ``title``: of the event, where
    rows are of several.
    """

    attendance_id: AttendanceId
    slug: str
    title: str
    name: str
    initial: str
    tone: int
    party: int
    said: str = ""


async def asking_to_join(
    reader: Reader, events: Sequence[Event], settings: RegistrationSettings | None = None
) -> list[AskingRow]:
    """Whoever has waited longest first. ``settings``: of the one event, to show what people responded."""
    found = await lists.asking(reader, [one.id for one in events], MOST_ASKING)
    names = await shown_names(reader, [one.user_id for _, one in found])
    by_id: dict[EventId, Event] = {one.id: one for one in events}
    said: dict[AttendanceId, str] = {}
    if settings is not None and found:
        ids = [one.attendance_id for _, one in found]
        details = await response_details.of_answers(reader, events[0].id, settings, ids)
        said = {one: " · ".join(reply.text for reply in of.told) for one, of in details.items()}
    return [
        AskingRow(
            one.attendance_id,
            by_id[event_id].slug,
            by_id[event_id].title,
            names[one.user_id],
            names[one.user_id][:1].upper(),
            tone_of(one.user_id),
            one.party,
            said.get(one.attendance_id, ""),
        )
        for event_id, one in found
    ]
