"""A decision of a merge in words: which field, what was where, why one stands, and what the host may do about it."""

from dataclasses import dataclass
from datetime import datetime

from groundwork.clock import Instant
from openmeet.i18n import formatting
from openmeet.network.ingestion.merge_decisions import Conflict
from openmeet.network.ingestion.three_way_merge import Policy, Side
from openmeet.recurrence import wall_time
from openmeet.recurrence.describe import describe
from openmeet.recurrence.errors import RuleRefused
from openmeet.recurrence.pattern import pattern
from openmeet.recurrence.rule import parse_rule

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
    "tickets": "Tickets",
    "accessibility": "Accessibility",
    "categories": "What it is about",
    "tags": "Tags",
    "languages": "Languages",
    # Of groups and what they say of members.
    "locality": "Town",
    "country": "Country",
    "join_policy": "How people get in",
    "join_question": "Question to those who ask",
    "level": "What the network gets",
    "avatar": "Picture",
    "backup_admins": "Who may continue the group",
    "role": "Role of a member",
    # Of series.
    "start": "First date",
    "minutes": "Length",
    "rule": "When it repeats",
    "rrule": "When it repeats",
    "left_out": "Dates left out",
    "added": "Dates added",
    "venue": "Place",
    "record": "Something that is not understood here",
}

_WHY = {
    Policy.MANUAL_EDIT_IS_KEPT: "What was typed here is kept.",
    Policy.ORIGIN_WINS: "It follows the place where it was made.",
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


def shown(conflict: Conflict, zone: str, now: Instant, first: datetime | None = None) -> Shown:
    """What the host sees of one decision; ``zone``: on whose clock. ``first``: the start of a series."""
    decision = conflict.decision
    return Shown(
        field=decision.field,
        theirs_rev=conflict.theirs_rev,
        words=FIELD_WORDS.get(decision.field, decision.field),
        before=_value(decision.field, decision.base, zone, first),
        yours=_value(decision.field, decision.ours, zone, first),
        theirs=_value(decision.field, decision.theirs, zone, first),
        why="You decided this." if conflict.choice is not None else _WHY[decision.policy],
        standing=_STANDS[conflict.choice or decision.result],
        when=formatting.ago(conflict.decided_at, now),
        is_decided=conflict.choice is not None,
        may_choose=decision.ours_values is not None,
    )


def _value(field: str, text: str, zone: str, first: datetime | None) -> str:
    if not text:
        return "nothing"
    match field:
        case "starts_at" | "ends_at" if text.lstrip("-").isdigit():
            local = wall_time.local_of(Instant(int(text)), zone)
            return f"{formatting.day(local)}, {formatting.clock(local)} {formatting.zone_words(local, zone)}"
        case "mode" | "status":
            return text.replace("_", " ")
        case "minutes":
            return f"{text} minutes"
        case "start":
            return text.replace("T", " ")
        case "rule":
            return _rule(text, first)
        case "avatar":
            return "a picture"
        case _:
            return text


def _rule(text: str, first: datetime | None) -> str:
    if first is None:
        return text
    try:
        return describe(pattern(first, None, parse_rule(text)))
    except RuleRefused:
        return text
