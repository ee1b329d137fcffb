"""Which events appear in unsolicited lists: the only rule for events from the network (design, section 5.12).

Search shows everything public. The front page, its feed, the sitemap and notifications show events created on this
site. From the network they show events by people who have signed in to this site or are followed by a group, and events
near a configured point, unless the site chose to show everything or nothing from the network. Pending and hidden events
are always excluded.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from groundwork.clock import DAY
from groundwork.database.transaction import Reader, Transaction
from groundwork.geo_points import SearchArea, chord, parse_near, spot
from openmeet.domain.events.model import Event
from openmeet.domain.events.values import Visibility
from openmeet.domain.events.visibility import is_public
from openmeet.domain.moderation import actions, policy
from openmeet.domain.users import queries as user_queries


class FrontPageChoice(StrEnum):
    """The setting ``network_shown``."""

    NOTHING = "nothing"
    FAMILIAR = "familiar"
    EVERYTHING = "everything"


@dataclass(frozen=True, slots=True)
class FrontPagePolicy:
    """The site's choice. ``near``: events near this point are shown as well."""

    choice: FrontPageChoice
    near: SearchArea | None = None


FAMILIAR: Final = FrontPagePolicy(FrontPageChoice.FAMILIAR)
EVERYTHING: Final = FrontPagePolicy(FrontPageChoice.EVERYTHING)

# The DIDs whose events are shown even if nobody searches for them.
FAMILIAR_DIDS: Final = (
    "select i.did from identities i join users u on u.id = i.user_id where u.kind = 'person'"
    " union select f.did from group_follows f"
)


def shown_in(choice: str, near: str) -> FrontPagePolicy:
    """Parse the site's settings. Raises ValueError."""
    return FrontPagePolicy(FrontPageChoice(choice), parse_near(near))


def is_allowed_by(table: str, shown: FrontPagePolicy) -> str:
    """SQL condition: this policy allows the event in unsolicited lists. Use it only for single events and short lists."""
    match shown.choice:
        case FrontPageChoice.NOTHING:
            return f"{table}.origin = 'here'"
        case FrontPageChoice.FAMILIAR if shown.near is not None:
            return f"({is_familiar(table)} or {_is_near(table, shown.near)})"
        case FrontPageChoice.FAMILIAR:
            return is_familiar(table)
        case FrontPageChoice.EVERYTHING:
            return "1 = 1"


async def is_announced_to_strangers(reader: Reader, event: Event, shown: FrontPagePolicy = EVERYTHING) -> bool:
    """Whether people who have no relation to the event may be notified of it: it is public, upcoming, and allowed by
    the site's choice.
    """
    if not event.may_be_announced(reader.now):
        return False
    row = await reader.fetch_one(
        f"select 1 as found from events e where e.id = :id and {is_public('e')} and {is_allowed_by('e', shown)}",
        id=event.id,
    )
    return row is not None


def announced_sources(event: Event) -> tuple[str, ...]:
    """The people, groups and series whose blocking or muting keeps a person from being notified of this event."""
    series_id = event.position_in_series.series_id if event.position_in_series else None
    return tuple(filter(None, (event.author_id, event.group.id if event.group else None, series_id)))


def is_familiar(table: str) -> str:
    """SQL condition: created on this site, or by a person or account known to this site."""
    return (
        f"({table}.origin = 'here'"
        f" or exists (select 1 from users fu where fu.id = {table}.author_id and fu.kind = 'person')"
        f" or exists (select 1 from group_follows ff where ff.did = {table}.record_did))"
    )


def _is_near(table: str, near: SearchArea) -> str:
    line = chord(near.within_km * 1_000)
    center = zip("xyz", spot(near.latitude, near.longitude), strict=True)
    square = " + ".join(f"({table}.place_{axis} - ({at})) * ({table}.place_{axis} - ({at}))" for axis, at in center)
    return f"({table}.place_x is not null and {square} <= {line * line})"


async def hold_first_events(tx: Transaction, events: Sequence[Event]) -> None:
    """Hold the public events of a new account for review when it creates its first one. Called wherever an event
    created on this site is written. Of several new dates of a series, the first one is enough.
    """
    listed = [event for event in events if event.visibility is Visibility.PUBLIC and not event.is_gone]
    if not listed:
        return
    current = await policy.current(tx)
    if not current.holds_first_events:
        return
    for event in listed:
        author = await user_queries.by_id(tx, event.author_id)
        is_new = author is not None and author.created_at > tx.now - current.new_account_days * DAY
        if is_new and not await _has_another(tx, event):
            await actions.hold_first_event(tx, event.author_id)


async def _has_another(reader: Reader, event: Event) -> bool:
    """Whether this author already has another public event. Other dates of the same series do not count."""
    row = await reader.fetch_one(
        "select 1 as found from events where author_id = :author_id and visibility = 'public' and is_draft = 0"
        " and id <> :id and (series_id is null or series_id <> :series_id) limit 1",
        author_id=event.author_id,
        id=event.id,
        series_id=event.position_in_series.series_id if event.position_in_series else "",
    )
    return row is not None
