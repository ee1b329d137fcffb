"""Private details of an event: the only place that decides who can see the exact address, the join link and the entry
instructions.

Pages, API, e-mails, calendar files, social cards and JSON-LD follow this decision. Records, feeds, search and
notifications contain only what everyone may know (``Event.place``), whoever reads them. Pure.
"""

from dataclasses import dataclass

from groundwork.clock import MINUTE, Instant
from openmeet.domain.events.content import visible
from openmeet.domain.events.inputs import is_web_address
from openmeet.domain.events.model import Event
from openmeet.domain.events.values import NOWHERE, Audience, Mode, Venue
from openmeet.domain.users.model import UserId


@dataclass(frozen=True, slots=True)
class PrivateDetails:
    """The private details that one person may see. ``hides_…`` is True if there is something they cannot see.
    ``is_insider`` is True if they can see what is for attendees. ``join_from`` is when the link will be shown.
    """

    place: Venue = NOWHERE
    join_url: str = ""
    entry_instructions: str = ""
    hides_place: bool = False
    hides_link: bool = False
    hides_entry: bool = False
    is_insider: bool = False
    join_from: Instant | None = None

    @property
    def web_link(self) -> str:
        """The join link if browsers can follow it, else empty."""
        return self.join_url if is_web_address(self.join_url) else ""


NOTHING_PRIVATE = PrivateDetails()


def private_details(
    event: Event, viewer: UserId | None, *, is_going: bool, now: Instant, runs: bool = False
) -> PrivateDetails:
    """Decide for one person. ``is_going``: they have a confirmed place. ``runs``: they co-host the event."""
    is_host = runs or (viewer is not None and viewer == event.author_id)
    exact = event.content.venue if is_host else event.exact_place
    is_insider = is_host or is_going
    sees_place = is_insider or event.content.place_audience is Audience.EVERYONE
    entry_instructions = visible(event.content, is_insider=is_insider).entry_instructions
    is_meant = is_going or event.content.online_url_audience is Audience.EVERYONE
    opens_at = opens_join_link_at(event)
    is_open = event.content.online_url_from is None or (opens_at is not None and opens_at <= now)
    # Only hosts see details that were typed for another mode.
    url = event.content.online_url if is_host or event.content.mode is not Mode.IN_PERSON else ""
    sees_link = is_host or (is_meant and is_open)
    return PrivateDetails(
        place=exact if sees_place else event.place,
        join_url=url if sees_link else "",
        entry_instructions=entry_instructions,
        hides_place=not sees_place and exact != event.place,
        hides_link=bool(url) and not sees_link,
        is_insider=is_insider,
        hides_entry=entry_instructions != event.content.entry_instructions,
        join_from=opens_at if url and is_meant and not is_open and not is_host else None,
    )


def opens_join_link_at(event: Event) -> Instant | None:
    """When the join link is first shown to the people who may see it. None if at once, or if the start is not known."""
    if event.content.online_url_from is None or event.starts_at is None:
        return None
    return Instant(event.starts_at - event.content.online_url_from * MINUTE)
