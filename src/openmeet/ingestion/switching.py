"""What follows from switching a flag: what waited for it goes on, what was passed over is read."""

from collections.abc import Iterable
from typing import Final

from groundwork.database.transaction import Transaction
from groundwork.outbox import owe
from openmeet.debts import publications
from openmeet.debts.kinds import Debt
from openmeet.debts.publications import Kind
from openmeet.flags import actions
from openmeet.flags.model import Flag

KNOWN_REPOSITORIES = "select did from identities union select did from repositories order by did"

OWN_SERIES = """
    select id, user_id, revision from event_series where is_read_only = 0 and deleted_at is null order by id
"""

# Those among whose events a series is looked for: people who sign in here with what they wrote them with.
AUTHORS: Final = """
    select distinct i.user_id from identities i join events e on e.author_id = i.user_id
     where i.kind <> 'shadow' and e.origin = 'network' and e.deleted_at is null order by i.user_id
"""

_OUT = {Flag.EVENTS_OUT: Kind.EVENT, Flag.RSVPS_OUT: Kind.RSVP}
_IN = frozenset(
    {Flag.EVENTS_IN, Flag.RSVPS_IN, Flag.SERIES_LEXICON, Flag.NATIVE_RECURRENCE, Flag.GROUPS, Flag.MEMBERSHIPS}
)
# Records that wait for these flags are looked at again when they are on.
_WAITING: dict[Flag, tuple[Kind, ...]] = {
    Flag.GROUPS: (Kind.GROUP, Kind.FORMER_GROUP, Kind.GROUP_EVENT),
    Flag.MEMBERSHIPS: (Kind.MEMBERSHIP, Kind.ACCEPTANCE),
}


async def owe_series(tx: Transaction) -> int:
    """Every series made here owes its record a look, also those from before there were such records; how many."""
    rows = await tx.fetch(OWN_SERIES)
    await publications.owe_many(
        tx, kind=Kind.SERIES, owed=[(row["id"], row["user_id"], row["revision"]) for row in rows]
    )
    await publications.look_again_at_all(tx, Kind.SERIES)
    await publications.look_again_at_all(tx, Kind.FORMER_SERIES)
    return len(rows)


async def switch(
    tx: Transaction, flag: Flag, *, is_on: bool, changed_by: str, why: str = "", followed: Iterable[str] = ()
) -> bool:
    """Switch a flag and see to what that entails; False where it stood so already.

    ``followed``: DIDs that the installation follows beside those that this tenant knows; they are read again when
    something from the network is taken again.
    """
    if not await actions.switch(tx, flag, is_on=is_on, changed_by=changed_by, why=why):
        return False
    if is_on and flag in _OUT:
        await publications.wake_switched_off(tx, _OUT[flag])
    if flag is Flag.NATIVE_RECURRENCE:
        # The dates that stand for their series carry the rule, or carry it no longer.
        await publications.look_again_at_all(tx, Kind.EVENT)
    if is_on and flag is Flag.SERIES_LEXICON:
        await owe_series(tx)
    if is_on and flag is Flag.DETECTION:
        rows = await tx.fetch(AUTHORS)
        await owe.owe_many(tx, Debt.DETECT_SERIES, [(row["user_id"], int(tx.now), tx.now) for row in rows])
    for kind in _WAITING.get(flag, ()) if is_on else ():
        await publications.look_again_at_all(tx, kind)
    if is_on and flag in _IN:
        known = {row["did"] for row in await tx.fetch(KNOWN_REPOSITORIES)} | set(followed)
        for did in sorted(known):
            await owe.owe(tx, Debt.BACKFILL, did, int(tx.now))
    return True
