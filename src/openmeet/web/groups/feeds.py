"""A group as a calendar file and as a feed. Both contain what everyone who can see the group may read, and never a join
link.

In the calendar, each series is one event with its rule, plus one event for each date that differs or is cancelled.
Source: RFC 5545 (through ``icalendar``). The output is deterministic, so the ETag of an unchanged file stays the same.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from urllib.parse import quote, urlsplit

from groundwork.clock import DAY, Instant
from openmeet.domain.events.model import Event, EventId
from openmeet.domain.groups.model import Group
from openmeet.domain.icalendar.properties import ELSEWHERE
from openmeet.domain.icalendar.write import FeedAddress, vevent_of, write_calendar
from openmeet.i18n.catalogue import gettext
from openmeet.web.events.feeds import Feed
from openmeet.web.series import feeds

# Calendar programs keep events that they have read, so long-past events are left out.
PAST = 366 * DAY
AHEAD = 2 * 366 * DAY
MOST = 2_000
NEWEST = 50


def calendar_of(
    group: Group,
    series: Sequence[feeds.WholeSeries],
    events: Sequence[Event],
    numbers: Mapping[EventId, int],
    now: Instant,
    public_url: str,
    *,
    is_public: bool,
) -> bytes:
    """The file of these series and single events, with their SEQUENCE numbers (``calendar_uids``).

    ``is_public`` selects the public file, whose URL is not secret. The text of an event of a followed host says that
    another host holds it.
    """
    host = urlsplit(public_url).hostname or "localhost"
    entries = [entry for one in series for entry in feeds.entries_of(one, numbers, now, public_url)]
    for event in events:
        address = f"{public_url}/events/{quote(event.slug)}"
        description = event.content.description
        if not is_own(group, event):
            note = gettext("From another app")
            description = f"{note}\n\n{description}" if description else note
        entry = vevent_of(event, host=host, url=address, sequence=numbers[event.id], description=description)
        if entry is not None:
            marks = () if is_own(group, event) else (ELSEWHERE,)
            entries.append(replace(entry, categories=(*marks, *entry.categories)))
    page = f"{public_url}/groups/{quote(group.slug)}"
    return write_calendar(entries, name=group.details.name, feed=FeedAddress(page, f"{page}.ics" if is_public else ""))


def feed_of(group: Group, public_url: str, kind: str) -> Feed:
    """The feed, as ``kind``: ``atom`` or ``json``."""
    address = f"{public_url}/groups/{quote(group.slug)}"
    return Feed(group.details.name, f"urn:uuid:{group.id}", address, f"{address}.{kind}", group.updated_at)


def is_own(group: Group, event: Event) -> bool:
    """Whether the group hosts the event. Otherwise the group follows the host of the event."""
    return event.group is not None and event.group.id == group.id
