"""Compute an event after an edit by its host or by a record. Pure, so that all sources of an edit have the same effect."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from groundwork.clock import DAY, Instant
from groundwork.uuid7 import new_id
from openmeet.domain import slugs
from openmeet.domain.events import content
from openmeet.domain.events.content import Content, extension_of, renamed_elsewhere
from openmeet.domain.events.model import (
    Details,
    Event,
    EventId,
    EventSlug,
    EventStatus,
    NetworkEvent,
    RecordOrigin,
    ZoneSource,
)
from openmeet.domain.events.values import NOWHERE, Audience, Mode, Visibility
from openmeet.domain.users.model import UserId
from openmeet.i18n.markdown import folded
from openmeet.recurrence import wall_time


def blank_event(now: Instant, title: str, author_id: UserId) -> Event:
    """A new event with an identity and an author, without content."""
    return Event(
        id=EventId(new_id(now)),
        slug=new_slug(title),
        content=Content(title=""),
        starts_at=None,
        ends_at=None,
        starts_local="",
        starts_text="",
        ends_text="",
        time_zone="UTC",
        status=EventStatus.SCHEDULED,
        status_reason="",
        author_id=author_id,
        origin=RecordOrigin.HERE,
        record_uri=None,
        record_cid=None,
        record_did=None,
        revision=1,
        is_read_only=False,
        is_held=False,
        external_source=None,
        removed_at=None,
        deleted_at=None,
        created_at=now,
        updated_at=now,
    )


def event_of_record(new: Event, uri: str, event: NetworkEvent) -> Event:
    """Set the fields that are fixed because the event came from a record."""
    return replace(
        new,
        slug=new_slug(event.name),
        origin=RecordOrigin.NETWORK,
        external_source="atproto",
        record_uri=uri,
        record_did=uri.removeprefix("at://").split("/")[0],
        content=replace(
            new.content,
            # Everyone can already read a public record.
            online_url_audience=Audience.EVERYONE,
            visibility=Visibility.PUBLIC if event.is_discoverable else Visibility.UNLISTED,
        ),
        created_at=event.created_at,
    )


def with_record(before: Event, cid: str, event: NetworkEvent, now: Instant) -> Event:
    ends_at = event.ends_at
    if ends_at is not None and (event.starts_at is None or ends_at < event.starts_at):
        ends_at = None
    stated = replace(
        renamed_elsewhere(before.content, event.name),
        description=event.description,
        mode=event.mode,
        venue=event.venues[0] if event.venues else NOWHERE,
        # A join link for attendees only is never in a record, so a record without a link does not remove it.
        online_url=event.online_url or (before.content.online_url if _keeps_join_link(before) else ""),
        links=event.links,
        **extension_of(event),
    )
    zone, source = _zone_of_record(before, stated, event)
    return replace(
        before,
        content=stated,
        starts_at=event.starts_at,
        ends_at=ends_at,
        starts_local=local_text(event.starts_at, zone),
        starts_text=event.starts_text,
        ends_text=event.ends_text,
        time_zone=zone,
        zone_source=source,
        status=event.status,
        status_reason=before.status_reason if event.status is EventStatus.CANCELLED else "",
        is_all_day=event.is_all_day
        or (
            before.origin is RecordOrigin.HERE
            and before.is_all_day
            and (event.starts_at, ends_at, zone) == (before.starts_at, before.ends_at, before.time_zone)
        ),
        record_cid=cid,
        removed_at=None,
        record_deleted_at=None,
        updated_at=now,
    )


def _zone_of_record(before: Event, content: Content, event: NetworkEvent) -> tuple[str, ZoneSource]:
    """The zone after this version of the record, which has this content. The zone of the place is kept until the place
    changes or the record names a zone.
    """
    if not event.is_zone_assumed or event.time_zone != "UTC":
        return event.time_zone if wall_time.is_zone(event.time_zone) else "UTC", ZoneSource.NAMED
    if before.zone_source is ZoneSource.NAMED or event.is_all_day or not _is_same_place(before.content, content):
        return "UTC", ZoneSource.UNKNOWN
    return before.time_zone, before.zone_source


def _is_same_place(one: Content, other: Content) -> bool:
    """Whether both are at the same point or in the same town, so that they have the same time zone."""
    return all(
        getattr(one.venue, part) == getattr(other.venue, part)
        for part in ("latitude", "longitude", "locality", "region", "country")
    ) and (one.mode is Mode.ONLINE) == (other.mode is Mode.ONLINE)


# Fields of ``NetworkEvent`` that have another name in ``Event`` and its ``Content``.
_OWN_NAMES: Final = {"name": "title", "venues": "venue"}


def record_value(event: Event, name: str) -> object:
    """The value of a field that is named and typed as in ``NetworkEvent``."""
    if name == "venues":
        return () if event.content.venue.is_empty else (event.content.venue,)
    if name == "time_zone":
        return event.named_zone
    own_name = _OWN_NAMES.get(name, name)
    return getattr(event.content if own_name in content.NAMES else event, own_name)


def with_values(event: Event, values: Mapping[str, Any]) -> Event:
    """Replace single values, which are named and typed as in ``NetworkEvent``."""
    own_values = {_OWN_NAMES.get(name, name): value for name, value in values.items()}
    if "venue" in own_values:
        # A record can have several places. An event here has the first one.
        own_values["venue"] = next(iter(own_values["venue"]), NOWHERE)
    if own_values.get("time_zone") == event.named_zone:
        del own_values["time_zone"]
    elif "time_zone" in own_values:
        own_values["zone_source"] = ZoneSource.NAMED
    content_values = {name: own_values.pop(name) for name in content.NAMES if name in own_values}
    after = replace(event, content=replace(event.content, **content_values), **own_values)
    return _without_zone_of_other_place(event, after)


def with_details(event: Event, details: Details) -> Event:
    visibility = details.content.visibility
    # A zone that was looked up counts as named only if the host chooses another one.
    keeps_zone = details.time_zone == event.time_zone and not details.is_all_day
    # Keep the original text of an instant until the instant changes, because a different text would change the CID.
    after = replace(
        event,
        content=details.content,
        starts_at=details.starts_at,
        ends_at=details.ends_at,
        starts_local=details.starts_local,
        starts_text=event.starts_text if details.starts_at == event.starts_at else "",
        ends_text=event.ends_text if details.ends_at == event.ends_at else "",
        time_zone=details.time_zone,
        zone_source=event.zone_source if keeps_zone else ZoneSource.NAMED,
        is_all_day=details.is_all_day,
        # The host agreed to announce the earlier content, but not the new content.
        record_settings=event.record_settings
        if visibility is event.content.visibility
        else replace(event.record_settings, is_announced=False),
        # Unpublished events do not wait for a record. A draft waits for its host.
        is_held=event.is_held and (visibility is Visibility.PUBLIC or event.is_draft),
    )
    return _without_zone_of_other_place(event, after)


def _without_zone_of_other_place(before: Event, after: Event) -> Event:
    """Forget the zone of the place if the place changed. The instant stays."""
    if after.zone_source is ZoneSource.NAMED or _is_same_place(before.content, after.content):
        return after
    return replace(
        after, time_zone="UTC", starts_local=local_text(after.starts_at, "UTC"), zone_source=ZoneSource.UNKNOWN
    )


def _keeps_join_link(event: Event) -> bool:
    return event.content.online_url_audience is Audience.ATTENDEES or event.content.online_url_from is not None


def local_text(instant: Instant | None, zone: str) -> str:
    """The wall-clock time in a zone, as ``starts_local`` stores it; empty for None."""
    if instant is None:
        return ""
    return wall_time.local_of(instant, zone).replace(tzinfo=None).isoformat(timespec="seconds")


def new_slug(title: str) -> EventSlug:
    """A readable slug with a random part, because titles repeat and unlisted events must not be guessable."""
    return EventSlug(slugs.new_slug(title, otherwise="event"))


def search_text(event: Event) -> str:
    """Text for the search index: title, description, tags and the public place, folded, without private details."""
    return folded("\n".join((event.title, event.content.description, *event.place.lines, *event.content.tags)))


# Names for the start, length and time zone of a date. Start and length each depend on several fields of ``Details``.
STARTS, ENDS, ZONE = "starts", "ends", "time_zone"


def details_in(event: Event) -> Details:
    """The details of a stored event, which must have a start."""
    assert event.starts_at is not None  # noqa: S101  # a rule or a host gave it one
    return Details(
        content=event.content,
        starts_local=event.starts_local,
        time_zone=event.time_zone,
        starts_at=event.starts_at,
        ends_at=event.ends_at,
        is_all_day=event.is_all_day,
    )


def differing(details: Details, usual: Details) -> tuple[str, ...]:
    """Names of the fields in which ``details`` differ, sorted. A date that was moved as a whole differs only in
    ``starts``, and one at the same instant that shows it in another time zone only in ``time_zone``.
    """
    names = set(content.differing(details.content, usual.content))
    if details.starts_at != usual.starts_at:
        names.add(STARTS)
    if length_of(details) != length_of(usual):
        names.add(ENDS)
    if details.time_zone != usual.time_zone:
        names.add(ZONE)
    return tuple(sorted(names))


def own_fields(event: Event, details: Details, usual: Details) -> tuple[str, ...]:
    """Names of the fields in which a date with these details is not as ``usual``, sorted. ``event`` is the date before
    they are set.

    A time zone that nobody named is not a choice of this date (``ZoneSource``).
    """
    names = differing(details, usual)
    is_zone_named = event.zone_source is ZoneSource.NAMED or details.time_zone != event.time_zone
    return names if is_zone_named else tuple(name for name in names if name != ZONE)


def length_of(details: Details) -> int | None:
    """Microseconds from start to end; None without an end. All-day events count in whole days, whatever their actual
    length.
    """
    if details.ends_at is None:
        return None
    length = details.ends_at - details.starts_at
    return round(length / DAY) * DAY if details.is_all_day else length
