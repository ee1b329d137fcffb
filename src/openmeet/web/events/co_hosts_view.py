"""Co-hosts as their list shows them, and what somebody is asked to host."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from groundwork.clock import Instant
from groundwork.database.transaction import Reader
from groundwork.signing_key import SigningKey
from openmeet.domain.events import co_host_queries
from openmeet.domain.events.model import EventId
from openmeet.domain.events.permissions import CoHost, CoHostState, token_of
from openmeet.domain.identities.queries import shown_names
from openmeet.domain.moderation.blocks import apart
from openmeet.domain.paging import WHOLE, Page
from openmeet.domain.search.event_lists import events_by_ids
from openmeet.domain.users.model import UserId

_WORDS = {
    CoHostState.INVITED: "invited",
    CoHostState.ACCEPTED: "hosts it, too",
    CoHostState.DECLINED: "said no",
    CoHostState.LEFT: "left",
    CoHostState.REMOVED: "taken away",
}
_OPEN = frozenset({CoHostState.INVITED, CoHostState.ACCEPTED})


@dataclass(frozen=True, slots=True)
class HostLine:
    """One person. ``path``: where they say yes or no, to be passed on by the host; ``may_go``: can be taken away;

    ``is_offered``: the event is theirs if they want it.
    """

    id: str
    name: str
    words: str
    is_host: bool
    may_go: bool
    path: str
    is_offered: bool = False


def lines_of(
    found: Sequence[CoHost], names: Mapping[UserId, str], now: Instant, key: SigningKey, offered: CoHost | None = None
) -> list[HostLine]:
    """Those who host first, then those who were asked. ``offered``: whom the event is offered to."""
    ordered = sorted(
        found, key=lambda one: (one.state is not CoHostState.ACCEPTED, one.state is not CoHostState.INVITED)
    )
    return [
        HostLine(
            one.id,
            names[one.user_id] if one.user_id is not None else one.email or "",
            "invited, but the invitation is over"
            if one.state is CoHostState.INVITED and not one.is_open(now)
            else _WORDS[one.state] + (", every date" if one.is_for_series and one.state in _OPEN else ""),
            one.state is CoHostState.ACCEPTED,
            one.state in _OPEN,
            f"/co-hosting/{token_of(key, one.id)}" if one.is_open(now) else "",
            offered is not None and offered.id == one.id,
        )
        for one in ordered
    ]


@dataclass(frozen=True, slots=True)
class AskedToHost:
    """An invitation that somebody has not decided about."""

    token: str
    title: str
    by: str
    expires_at: Instant

    @property
    def path(self) -> str:
        return f"/co-hosting/{self.token}"


async def asked_of(
    reader: Reader, user_id: UserId, key: SigningKey, page: Page = WHOLE
) -> tuple[list[AskedToHost], str | None]:
    """What this person is asked to host, the oldest invitation first, and the cursor behind it."""
    read = await co_host_queries.waiting_for(reader, user_id, page)
    waiting, cursor = page.cut(read, lambda one: (one.created_at, one.id))
    # Their mails are not sent either.
    found = [one for one in waiting if not await apart(reader, one.invited_by, user_id)]
    events = await events_by_ids(reader, [EventId(one.event_id) for one in found])
    names = await shown_names(reader, [one.invited_by for one in found])
    asked = [
        AskedToHost(token_of(key, one.id), event.title or "an event", names[one.invited_by], one.expires_at)
        for one in found
        if (event := events.get(EventId(one.event_id))) is not None and not event.is_gone
    ]
    return asked, cursor
