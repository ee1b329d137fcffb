"""The flags, what they are before anybody switches them, and a change of one."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from groundwork.clock import Instant


class Flag(StrEnum):
    """One part of the synchronisation. "Out" is into people's repositories, "in" from the network."""

    EVENTS_IN = "events-in"
    EVENTS_OUT = "events-out"
    RSVPS_IN = "rsvps-in"
    RSVPS_OUT = "rsvps-out"
    GROUPS = "groups"
    MEMBERSHIPS = "memberships"
    SERIES_LEXICON = "series-lexicon"
    NATIVE_RECURRENCE = "native-recurrence"
    DETECTION = "detection"


# What nobody outside reads yet stays at home until an operator wants it out: our own Lexicons, and fields that the
# community's Lexicon has not adopted.
DEFAULTS: Final[Mapping[Flag, bool]] = {
    Flag.EVENTS_IN: True,
    Flag.EVENTS_OUT: True,
    Flag.RSVPS_IN: True,
    Flag.RSVPS_OUT: True,
    Flag.GROUPS: False,
    Flag.MEMBERSHIPS: False,
    Flag.SERIES_LEXICON: False,
    Flag.NATIVE_RECURRENCE: False,
    Flag.DETECTION: True,
}

WHAT: Final[Mapping[Flag, str]] = {
    Flag.EVENTS_IN: "Events of other people’s repositories are shown here",
    Flag.EVENTS_OUT: "Events are written into their authors’ repositories",
    Flag.RSVPS_IN: "Answers from other apps count here",
    Flag.RSVPS_OUT: "Answers are written into people’s repositories",
    Flag.GROUPS: "Groups are records, too",
    Flag.MEMBERSHIPS: "Memberships of groups are records, too",
    Flag.SERIES_LEXICON: "A series is a record of its own beside its dates",
    Flag.NATIVE_RECURRENCE: "Rules stand in event records as rrule, rdate and exdate",
    Flag.DETECTION: "Series are found among one author’s events",
}


@dataclass(frozen=True, slots=True)
class Switches:
    """All flags at one moment."""

    on: frozenset[Flag]

    def __contains__(self, flag: Flag) -> bool:
        return flag in self.on


UNTOUCHED: Final = Switches(frozenset(flag for flag, is_on in DEFAULTS.items() if is_on))


@dataclass(frozen=True, slots=True)
class Change:
    """Somebody switched a flag. ``changed_by``: the name that they have where they did it."""

    flag: Flag
    is_on: bool
    changed_by: str
    why: str
    changed_at: Instant
