"""In which of a person's repositories their answer to an event is written, so that no app goes on showing another one of theirs.

One answer is one record: where several of theirs are about the event, the one that counts (``records.seen``) is changed. Ours goes
where somebody's app has written a later one, and that one is changed instead.
"""

from typing import Final

from groundwork.clock import MINUTE, Instant
from groundwork.database.transaction import Reader
from openmeet.domain.attendance.model import RsvpSource
from openmeet.domain.groups import record_queries
from openmeet.domain.identities import backfill_progress, session_queries
from openmeet.domain.identities import queries as identity_queries
from openmeet.domain.identities.model import Identity, IdentityKind
from openmeet.domain.users.model import UserId
from openmeet.network.publishing.decision import GiveWay, Hold, Stay, Wait, home_of
from openmeet.network.records import seen
from openmeet.network.records.collections import RSVP
from openmeet.outbox import publication_moves
from openmeet.outbox.publication_leases import LeasedPublication
from openmeet.outbox.publications import BEING_READ, PublicationKind

# Longer than almost any repository takes to be read, shorter than anybody waits: a server that is away keeps no answer back for good.
READ_WITHIN: Final = 10 * MINUTE

OVERTAKEN: Final = "Another app of yours has written a later answer; that one is changed."


async def place_of(
    reader: Reader, owed: LeasedPublication, subject_uri: str, source: RsvpSource
) -> Identity | Hold | Stay | Wait | GiveWay:
    """Where the answer to the event with this record goes. ``source``: where the person gave it last."""
    theirs = [one for one in await identity_queries.of_user(reader, UserId(owed.user_id)) if one.can_write]
    if not owed.may_be_out_there and len(theirs) > 1 and (until := await _read_until(reader, theirs)) is not None:
        # Of one account alone the server is asked (``writing``); of several some may be away.
        return Wait(BEING_READ, until)
    dids = [one.did for one in theirs]
    known = await seen.answers_of(reader, subject_uri=subject_uri, dids=dids, collections=[RSVP])
    if not owed.may_be_out_there:
        answered = next((one for one in theirs if known and one.did == known[0].did), None)
        return answered or await home_of(reader, UserId(owed.user_id), owed)
    home = await home_of(reader, UserId(owed.user_id), owed)
    if not known or known[0].uri == owed.uri or source is not RsvpSource.HERE or not isinstance(home, Identity):
        return home
    later = next(one for one in theirs if one.did == known[0].did)
    return GiveWay(OVERTAKEN) if await _is_signed_in(reader, later) else home


async def _is_signed_in(reader: Reader, identity: Identity) -> bool:
    """Whether its server lets us write now: where it does not, ours is better changed than taken back for nothing."""
    session = await session_queries.find_of(reader, identity.did, identity.user_id)
    return identity.kind is IdentityKind.CUSTODIAL or (session is not None and not session.needs_login)


async def is_listed(reader: Reader, identity: Identity) -> bool:
    """Whether we know all answers in a repository: nobody else writes into the accounts that we keep, others are read when they sign in."""
    if identity.kind is not IdentityKind.CONNECTED:
        return True
    return (
        await seen.was_read(reader, identity.did)
        and await backfill_progress.waited_since(reader, [identity.did]) is None
    )


async def _read_until(reader: Reader, theirs: list[Identity]) -> Instant | None:
    """Until when what these accounts hold is waited for; None where it is known, or was waited for long enough."""
    connected = [one.did for one in theirs if one.kind is IdentityKind.CONNECTED]
    asked_at = await backfill_progress.waited_since(reader, connected)
    until = None if asked_at is None else Instant(asked_at + READ_WITHIN)
    return until if until is not None and until > reader.now else None


# What groups say stands in the repository of who speaks for them, and is taken from there when somebody else does.
_SAID_BY_GROUPS = frozenset({PublicationKind.ACCEPTANCE, PublicationKind.GROUP_EVENT})


async def repository_to_clear(reader: Reader, owed: LeasedPublication) -> Identity | None:
    """The repository that holds the record, where we may delete it; None where it is not their repository (any more)."""
    identity = None if owed.did is None else await identity_queries.find(reader, owed.did)
    if identity is None or not identity.can_write:
        return None
    if identity.user_id == owed.user_id or await record_queries.held_for(reader, identity.user_id) is not None:
        return identity
    if owed.kind in _SAID_BY_GROUPS:
        spoke = await publication_moves.holders_in(reader, PublicationKind.FORMER_GROUP, identity.did)
        return identity if identity.user_id in spoke else None
    return None
