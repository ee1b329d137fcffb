"""Feature flags: defaults, switching, all SQL for them, and a cache for frequent reads."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from groundwork.clock import SECOND, Instant
from groundwork.database.transaction import Reader, Transaction
from groundwork.uuid7 import new_id
from openmeet.i18n.catalogue import LazyText, lazy


class Flag(StrEnum):
    """One part of the synchronisation. "Out" means into people's repositories, "in" means from the network."""

    EVENTS_IN = "events-in"
    EVENTS_OUT = "events-out"
    RSVPS_IN = "rsvps-in"
    RSVPS_OUT = "rsvps-out"
    GROUPS = "groups"
    MEMBERSHIPS = "memberships"
    SERIES_LEXICON = "series-lexicon"
    NATIVE_RECURRENCE = "native-recurrence"
    DETECTION = "detection"


# Off until an operator switches them on, because no other program reads these yet: our own Lexicons, and fields that
# the community's Lexicon has not adopted.
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

# What each flag does. The API and the command line show the English message.
WHAT: Final[Mapping[Flag, LazyText]] = {
    Flag.EVENTS_IN: lazy("Events from other people’s repositories are shown on this site"),
    Flag.EVENTS_OUT: lazy("Events are written into their authors’ repositories"),
    Flag.RSVPS_IN: lazy("Answers from other apps count on this site"),
    Flag.RSVPS_OUT: lazy("Answers are written into people’s repositories"),
    Flag.GROUPS: lazy("Group records are read and published"),
    Flag.MEMBERSHIPS: lazy("Membership records of groups are read and published"),
    Flag.SERIES_LEXICON: lazy("Series records are read and published, in addition to the records of dates"),
    Flag.NATIVE_RECURRENCE: lazy("Event records contain recurrence rules (rrule, rdate, exdate)"),
    Flag.DETECTION: lazy("Series are detected among the events of one author"),
}


@dataclass(frozen=True, slots=True)
class Switches:
    """The state of all flags at one moment."""

    on: frozenset[Flag]

    def __contains__(self, flag: Flag) -> bool:
        return flag in self.on


@dataclass(frozen=True, slots=True)
class FlagChange:
    """One change of a flag. ``changed_by``: the name of the person in the program that they used (page, API or
    command).
    """

    id: str
    flag: Flag
    is_on: bool
    changed_by: str
    why: str
    changed_at: Instant


# How many changes operators are shown.
SHOWN_CHANGES = 50

_NAMES = frozenset(flag.value for flag in Flag)
# A cursor later than any real change.
_LATEST = (2**62, "")

SWITCHED = "select name, is_on from feature_flags order by name"

# The statement itself checks the old state, so of two concurrent identical switches only one counts as a change.
SWITCH = """
    insert into feature_flags (name, is_on, changed_at) values (:name, :is_on, :now)
    on conflict (name) do update set is_on = excluded.is_on, changed_at = excluded.changed_at
     where feature_flags.is_on <> excluded.is_on
"""

NOTE = """
    insert into feature_flag_changes (id, name, is_on, changed_by, why, changed_at)
    values (:id, :name, :is_on, :changed_by, :why, :now)
"""

# Newest first. Flags that this version does not have are left out.
CHANGES = """
    select id, name, is_on, changed_by, why, changed_at from feature_flag_changes
     where name in :names and (changed_at, id) < (:changed_at, :id) order by changed_at desc, id desc limit :limit
"""


async def switches(reader: Reader) -> Switches:
    """The state of every flag. Rows of flags that this version does not have are ignored."""
    states = dict(DEFAULTS)
    for row in await reader.fetch(SWITCHED):
        if row["name"] in _NAMES:
            states[Flag(row["name"])] = bool(row["is_on"])
    return Switches(frozenset(flag for flag, is_on in states.items() if is_on))


async def is_switched(reader: Reader, flag: Flag) -> bool:
    """Whether the flag was ever switched."""
    return await reader.fetch_one("select 1 from feature_flags where name = :name", name=flag) is not None


async def put_switch(tx: Transaction, flag: Flag, *, is_on: bool) -> bool:
    """Store the state. Returns False if the flag already had it."""
    return await tx.execute(SWITCH, name=flag, is_on=int(is_on), now=tx.now) == 1


async def note(tx: Transaction, flag: Flag, *, is_on: bool, changed_by: str, why: str) -> None:
    """Append the change to the log."""
    await tx.execute(NOTE, id=new_id(tx.now), name=flag, is_on=int(is_on), changed_by=changed_by, why=why, now=tx.now)


async def changes(
    reader: Reader, *, before: tuple[int, str] | None = None, limit: int = SHOWN_CHANGES
) -> list[FlagChange]:
    """Changes, newest first. ``before``: start after the change with this time and id."""
    changed_at, change_id = before or _LATEST
    return [
        FlagChange(
            row["id"],
            Flag(row["name"]),
            bool(row["is_on"]),
            row["changed_by"],
            row["why"],
            Instant(row["changed_at"]),
        )
        for row in await reader.fetch(CHANGES, names=sorted(_NAMES), changed_at=changed_at, id=change_id, limit=limit)
    ]


async def switch(tx: Transaction, flag: Flag, *, is_on: bool, changed_by: str, why: str = "") -> bool:
    """Switch one flag. Returns False, and logs nothing, if it already had this state.

    Readers that use a ``Switchboard`` see the change within ``MAX_AGE``.
    """
    if DEFAULTS[flag] is is_on and not await is_switched(tx, flag):
        return False
    if not await put_switch(tx, flag, is_on=is_on):
        return False
    await note(tx, flag, is_on=is_on, changed_by=changed_by, why=why)
    return True


# The longest time until a switched flag takes effect everywhere.
MAX_AGE = 5 * SECOND


class Switchboard:
    """Feature flags of one tenant, cached for ``MAX_AGE``. One per open database."""

    def __init__(self) -> None:
        self._known: Switches | None = None
        self._read_at = Instant(0)

    async def switches(self, reader: Reader, wanted: Collection[Flag] = ()) -> Switches:
        """All flags, at most ``MAX_AGE`` old; read with ``reader`` if the cache is older.

        ``wanted``: flags without which the caller would skip work. If the cache says that one of them is off, the flags
        are read again.
        """
        known = self._known
        if known is None or not 0 <= reader.now - self._read_at < MAX_AGE or not known.on.issuperset(wanted):
            known = await switches(reader)
            self._known, self._read_at = known, reader.now
        return known

    async def is_on(self, reader: Reader, flag: Flag) -> bool:
        """Whether one flag is on. True may be up to ``MAX_AGE`` old; False is always fresh."""
        return flag in await self.switches(reader, {flag})
