"""A decision of a merge in words: which field, what was where, why one stands, and what the host may do about it."""

from dataclasses import dataclass

from groundwork.clock import Instant
from openmeet.events.model import Event
from openmeet.ingestion.conflicts import Conflict
from openmeet.ingestion.merge import Policy, Side
from openmeet.recurrence import wall_time
from openmeet.site import times

FIELD_WORDS = {
    "name": "Title",
    "description": "Description",
    "starts_at": "Start",
    "ends_at": "End",
    "time_zone": "Time zone",
    "mode": "In person or online",
    "status": "Status",
    "venues": "Place",
    "online_url": "Link to join",
    "links": "Links",
    "is_discoverable": "Found by search",
}

_WHY = {
    Policy.MANUAL_EDIT_IS_KEPT: "What was typed here is kept.",
    Policy.ORIGIN_WINS: "Dates follow the place where the event was made.",
    Policy.PARTS_ADD_UP: "Both changed different parts, so both stand.",
    Policy.MORE_RESTRICTIVE: "The more cautious of the two stands until you look at it.",
    Policy.MOST_RECENT: "The later change stands.",
    Policy.LATEST_ANSWER: "The later answer stands.",
}

_STANDS = {Side.OURS: "yours", Side.THEIRS: "theirs", Side.BOTH: "both"}


@dataclass(frozen=True, slots=True)
class Shown:
    """One decision for the page. ``standing``: yours, theirs or both."""

    field: str
    theirs_rev: str
    words: str
    before: str
    yours: str
    theirs: str
    why: str
    standing: str
    when: str
    is_decided: bool
    may_choose: bool


def shown(conflict: Conflict, event: Event, now: Instant) -> Shown:
    """What the host sees of one decision."""
    decision = conflict.decision
    return Shown(
        field=decision.field,
        theirs_rev=conflict.theirs_rev,
        words=FIELD_WORDS.get(decision.field, decision.field),
        before=_value(decision.field, decision.base, event),
        yours=_value(decision.field, decision.ours, event),
        theirs=_value(decision.field, decision.theirs, event),
        why="You decided this." if conflict.choice is not None else _WHY[decision.policy],
        standing=_STANDS[conflict.choice or decision.result],
        when=times.ago(conflict.decided_at, now),
        is_decided=conflict.choice is not None,
        may_choose=decision.ours_values is not None,
    )


def _value(field: str, text: str, event: Event) -> str:
    if not text:
        return "nothing"
    if field in {"starts_at", "ends_at"} and text.lstrip("-").isdigit():
        local = wall_time.local_of(Instant(int(text)), event.time_zone)
        return f"{times.day(local)}, {times.clock(local)} {times.zone_words(local, event.time_zone)}"
    return text.replace("_", " ") if field in {"mode", "status"} else text
