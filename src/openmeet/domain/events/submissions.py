"""Conversion between form fields and ``rules.Submission`` in both directions, for new forms, edits and drafts."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields

import msgspec

from openmeet.domain.events import all_day
from openmeet.domain.events.content import INPUTS, fill
from openmeet.domain.events.model import Details, Event
from openmeet.domain.events.rules import Submission
from openmeet.recurrence import wall_time

FIELDS = tuple(field.name for field in fields(Submission))

# Key of the reason why the scheduler did not publish a draft; stored with the fields of its form.
PROBLEM = "publish_problem"


def submission_of(typed: Mapping[str, str]) -> Submission:
    """Parse a posted form. Missing fields get their default, unknown ones are ignored. Checked boxes are combined into
    lists.
    """
    values = {name: typed[name] for name in FIELDS if name in typed}
    for one in INPUTS:
        ticked = [choice for choice in one.kind.boxes if typed.get(f"{one.name}.{choice}")]
        if ticked:
            values[one.name] = ",".join(ticked)
    return Submission(**values)


def values_of(submission: Submission) -> dict[str, str]:
    """Form values of a submission."""
    return asdict(submission)


def values_of_event(event: Event | Details) -> dict[str, str]:
    """Form values of an event, or of a date that is only computed."""
    ends = ""
    if event.ends_at is not None and event.is_all_day:
        ends = f"{all_day.last_day(event.ends_at, event.time_zone).isoformat()}T00:00"
    elif event.ends_at is not None:
        ends = _minutes(wall_time.local_of(event.ends_at, event.time_zone).isoformat())
    times = {
        "starts": _minutes(event.starts_local),
        "ends": ends,
        "time_zone": event.time_zone,
        "all_day": "yes" if event.is_all_day else "",
    }
    return times | fill(event.content)


def pack(submission: Submission, more: Mapping[str, str]) -> str:
    """Serialize a draft. ``more`` has form fields that do not belong to an event."""
    return msgspec.json.encode({**more, **asdict(submission)}).decode()


def selected_fields(text: str, names: Sequence[str]) -> dict[str, str]:
    """The further fields of a packed draft that are in ``names``."""
    stored = msgspec.json.decode(text, type=dict[str, str])
    return {name: stored[name] for name in names if name in stored}


def further_fields(text: str) -> dict[str, str]:
    """All further fields of a packed draft, except the problem stored with it."""
    stored = msgspec.json.decode(text or "{}", type=dict[str, str])
    return {name: value for name, value in stored.items() if name not in FIELDS and name != PROBLEM}


def unpack(text: str) -> Submission:
    """Deserialize a draft. Fields that no longer exist are ignored, new ones get their default."""
    return submission_of(msgspec.json.decode(text, type=dict[str, str]))


def _minutes(iso: str) -> str:
    """Format as ``YYYY-MM-DDTHH:MM``, with seconds only if they are not zero."""
    whole = iso[:19]
    return whole[:16] if whole[16:] in {"", ":00"} else whole
