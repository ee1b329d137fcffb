"""Between what a form carries and ``rules.Submission``: both ways, for new forms, edits and drafts."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields

import msgspec

from openmeet.events.model import Details, Event
from openmeet.events.rules import Submission
from openmeet.recurrence import wall_time

FIELDS = tuple(field.name for field in fields(Submission))


def submission_of(typed: Mapping[str, str]) -> Submission:
    """What was posted; missing fields are empty, unknown ones are left out."""
    return Submission(**{name: typed[name] for name in FIELDS if name in typed})


def values_of(submission: Submission) -> dict[str, str]:
    """What a form shows for it."""
    return asdict(submission)


def values_of_event(event: Event | Details) -> dict[str, str]:
    """What the edit form shows, also of a date that is computed only."""
    ends = "" if event.ends_at is None else _minutes(wall_time.local_of(event.ends_at, event.time_zone).isoformat())
    return values_of(
        Submission(
            title=event.title,
            starts=_minutes(event.starts_local),
            ends=ends,
            time_zone=event.time_zone,
            description=event.description,
            mode=event.mode.value,
            venue_name=event.venue.name,
            street=event.venue.street,
            postal_code=event.venue.postal_code,
            locality=event.venue.locality,
            region=event.venue.region,
            country=event.venue.country,
            online_url=event.online_url,
            online_url_audience=event.online_url_audience.value,
            capacity="" if event.capacity is None else str(event.capacity),
            visibility=(event.own_visibility if isinstance(event, Event) else event.visibility).value,
        )
    )


def pack(submission: Submission, more: Mapping[str, str]) -> str:
    """A draft as text to keep; ``more`` are fields of the same form that are no event's."""
    return msgspec.json.encode({**more, **asdict(submission)}).decode()


def more_in(text: str, names: Sequence[str]) -> dict[str, str]:
    """The further fields of a draft that ``pack`` made."""
    kept = msgspec.json.decode(text, type=dict[str, str])
    return {name: kept[name] for name in names if name in kept}


def unpack(text: str) -> Submission:
    """A draft that ``pack`` made; fields that have gone since are left out, new ones have their default."""
    return submission_of(msgspec.json.decode(text, type=dict[str, str]))


def _minutes(iso: str) -> str:
    """``YYYY-MM-DDTHH:MM``, with seconds only where there are some."""
    whole = iso[:19]
    return whole[:16] if whole[16:] in {"", ":00"} else whole
