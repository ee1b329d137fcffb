"""Handle publication jobs: lease what is due, decide from the present, write or retract, store the state.

Two short transactions per record, with the network call between them. A worker that dies leaves a row with key, CID and
bytes: the next one reads back before it sends again.
"""

import asyncio
from collections.abc import Sequence
from typing import NoReturn

from at_network.xrpc_client import XrpcClient
from at_protocol.syntax.at_uri import AtUri, parse_at_uri
from groundwork.clock import Instant
from groundwork.database.transaction import Reader
from groundwork.errors import Failure, NotSignedIn, Unavailable
from groundwork.outbox import retry
from groundwork.outbox.jobs import enqueue
from groundwork.telemetry import tracing
from groundwork.telemetry.logs import log
from openmeet.domain.events import queries as event_queries
from openmeet.domain.events.model import EventId
from openmeet.domain.identities.model import Identity, IdentityKind
from openmeet.network.publishing import in_flight, settle, write
from openmeet.network.publishing.decision import (
    ELSEWHERE,
    GiveWay,
    Hold,
    KeepHere,
    Leave,
    LetGo,
    Pause,
    Publish,
    PublishEvent,
    PublishGroup,
    PublishPlain,
    PublishRsvp,
    PublishSeries,
    Return,
    Stay,
    Wait,
)
from openmeet.network.publishing.eligibility import decide
from openmeet.network.publishing.publisher import (
    CHANGED_ELSEWHERE,
    INGESTED_AFTER,
    LEASE_SECONDS,
    LOOK_AGAIN_AFTER,
    Publisher,
)
from openmeet.network.publishing.repositories import repository_to_clear
from openmeet.network.publishing.send import get_record, take_away
from openmeet.network.records import seen
from openmeet.network.repositories.agents import agent_for, is_not_allowed
from openmeet.network.repositories.sessions import note_refused
from openmeet.outbox import publication_leases
from openmeet.outbox.kinds import JobKind
from openmeet.outbox.publication_leases import LeasedPublication
from openmeet.outbox.publications import NOT_ALLOWED, SWITCHED_OFF, PublicationKind, PublicationState, look_again

# Errors of servers that do not serve an account (any longer): these are not about the record.
_ACCOUNT_IS_AWAY = frozenset(
    {"AccountDeactivated", "AccountTakedown", "RepoDeactivated", "RepoNotFound", "RepoSuspended", "RepoTakendown"}
)

# Rounds that a retraction waits for ingestion of another app's change: about two hours (``INGESTED_AFTER``, doubled
# each time), including earlier merge rounds.
_MOST_HEARINGS = 8


async def pay_now(publisher: Publisher, kind: PublicationKind, subject_id: str, *, deadline_seconds: float) -> bool:
    """Handle a request's own job right after its commit; False if it did not finish in time (the job stays enqueued)."""
    async with publisher.db.transaction() as tx:
        before = await _named_by(tx, kind, subject_id)
        held = [
            await publication_leases.take_one(tx, kind=one, subject_id=of, seconds=LEASE_SECONDS)
            for one, of in (*before, (kind, subject_id))
        ]
    due = [one for one in held if one is not None]
    if due:
        # When the request stops waiting, delivery goes on: it has its own lease.
        task = asyncio.create_task(_pay_each(publisher, due))
        await asyncio.wait({task}, timeout=deadline_seconds)
    async with publisher.db.reader() as reader:
        after = await publication_leases.find(reader, kind, subject_id)
    return after is not None and after.state is PublicationState.PUBLISHED


async def _named_by(reader: Reader, kind: PublicationKind, subject_id: str) -> list[tuple[PublicationKind, str]]:
    """Records that must be written first because this one names them: for a date, its series."""
    event = await event_queries.by_id(reader, EventId(subject_id)) if kind is PublicationKind.EVENT else None
    return (
        []
        if event is None or event.place_in_series is None
        else [(PublicationKind.SERIES, event.place_in_series.series_id)]
    )


async def _pay_each(publisher: Publisher, due: Sequence[LeasedPublication]) -> None:
    for one in due:
        await pay(publisher, one)


async def pay(publisher: Publisher, held: LeasedPublication) -> None:
    """Handle one leased publication; every outcome is a state of its row, nothing is raised."""
    try:
        with tracing.step("record.paid", held.subject_id, kind=held.kind.value):
            await _pay(publisher, held)
    except Failure as failure:
        await _settle_failure(publisher, held, failure)
    except Exception as failure:  # noqa: BLE001 - the edge of the worker: the kind is unknown, the promise must not be lost
        log.error("publication.failed_unforeseen", kind=held.kind.value, subject=held.subject_id, error=repr(failure))
        await settle.try_later(publisher, held, type(failure).__name__, None)


async def _pay(publisher: Publisher, held: LeasedPublication) -> None:
    async with publisher.db.reader() as reader:
        decision = await decide(reader, held, publisher.flags)
    is_retracting = held.state is PublicationState.RETRACTING
    match decision:
        case Hold(why) | GiveWay(why):
            await _hold(publisher, held, why)
        case Leave() | KeepHere() if is_retracting:
            await _stop_taking_back(publisher, held)
        case KeepHere(why):
            await settle.give_back(publisher, held, PublicationState.WITHHELD, reason=why)
        case Leave():
            async with publisher.db.transaction() as tx:
                await publication_leases.leave(tx, held)
        case Stay(why):
            await settle.give_back(publisher, held, PublicationState.BLOCKED, reason=why)
        case LetGo():
            await settle.forget(publisher, held)
        case Return(uri):
            await settle.come_back(publisher, held, uri)
        case _ if is_retracting:
            await _start_over(publisher, held)
        case Pause():
            due_at = Instant(publisher.network.clock.now() + LOOK_AGAIN_AFTER)
            await settle.give_back(publisher, held, PublicationState.RETRYING, reason=SWITCHED_OFF, due_at=due_at)
        case Wait(why, until):
            due_at = until or Instant(publisher.network.clock.now() + LOOK_AGAIN_AFTER)
            await settle.give_back(publisher, held, PublicationState.WAITING, reason=why, due_at=due_at)
        case PublishEvent() | PublishRsvp() | PublishSeries() | PublishGroup() | PublishPlain():
            await _publish(publisher, held, decision)


async def _publish(publisher: Publisher, held: LeasedPublication, decision: Publish) -> None:
    if await write.settle_earlier_send(publisher, held):
        return
    client = await agent_for(publisher.db, publisher.network, decision.identity)
    try:
        await write.write(publisher, client, held, decision)
    except NotSignedIn as refused:
        await _session_refused(publisher, decision.identity, refused)


async def _start_over(publisher: Publisher, held: LeasedPublication) -> None:
    """It may be public again. What the PDS has decides where to continue; the echo of the delete must find the RSVP here."""
    there = None if held.uri is None else await in_flight.what_is_there(publisher, parse_at_uri(held.uri))
    if there is not None and there.cid is None:
        await settle.forget(publisher, held, there)
    elif there is not None and there.cid in {held.base_cid, held.chosen_cid}:
        # An unanswered delete may still be in flight, and its effect would look like somebody else's.
        await _take_back(publisher, held)
    else:
        await settle.give_back(publisher, held, PublicationState.DUE, reason="")
        return
    async with publisher.db.transaction() as tx:
        await look_again(tx, kind=held.kind, subject_ids=[held.subject_id])


async def _stop_taking_back(publisher: Publisher, held: LeasedPublication) -> None:
    """Stop retracting: no write is wanted any more, whatever the repository has.

    A delete may still be in flight, and a record that stays needs an owner: what we wrote is deleted first, what its
    author wrote in another app keeps its publication.
    """
    if held.uri is None or held.kind not in {PublicationKind.EVENT, PublicationKind.RSVP}:
        await settle.forget(publisher, held)
        return
    async with publisher.db.reader() as reader:
        event = (
            await event_queries.by_id(reader, EventId(held.subject_id)) if held.kind is PublicationKind.EVENT else None
        )
    if event is not None and event.is_record_of_author:
        await settle.give_back(publisher, held, PublicationState.DUE, reason="")
    else:
        await _start_over(publisher, held)


async def _hold(publisher: Publisher, held: LeasedPublication, why: str) -> None:
    """Nothing of it may be public: retract what may be published."""
    if held.uri is None or held.did is None:
        if held.state is PublicationState.RETRACTING:
            await settle.forget(publisher, held)
        else:
            await settle.give_back(publisher, held, PublicationState.WITHHELD, reason=why)
        return
    async with publisher.db.transaction() as tx:
        if not await publication_leases.start_retracting(tx, held):
            return
    await _take_back(publisher, publication_leases.as_retracting(held))


async def _take_back(publisher: Publisher, taking_back: LeasedPublication) -> None:
    """Delete the record of a row in state RETRACTING."""
    if taking_back.uri is None or taking_back.did is None:
        return
    uri = parse_at_uri(taking_back.uri)
    async with publisher.db.reader() as reader:
        identity = await repository_to_clear(reader, taking_back)
    if identity is None:
        await settle.give_back(publisher, taking_back, PublicationState.BLOCKED, reason=ELSEWHERE)
        return
    try:
        client = await agent_for(publisher.db, publisher.network, identity)
        try:
            if await _is_heard_first(publisher, client, taking_back, uri):
                return
            rev = await take_away(client, uri, expected=taking_back.base_cid)
        except NotSignedIn as refused:
            await _session_refused(publisher, identity, refused)
        gone = await in_flight.absence(publisher, uri, rev)
    except Failure as failure:
        await _settle_failure(publisher, taking_back, failure)
    else:
        await settle.forget(publisher, taking_back, gone)


async def _is_heard_first(publisher: Publisher, client: XrpcClient, taking_back: LeasedPublication, uri: AtUri) -> bool:
    """Whether an RSVP record has a change from another app that has not been ingested yet.

    That RSVP counts, although its record will be deleted: ingestion gets it first and has two hours to apply it, as
    long as it retries a message. Each round waits twice as long as the one before. Event records are not waited for:
    they may contain what must not be public.
    """
    if taking_back.kind is not PublicationKind.RSVP or taking_back.rounds >= _MOST_HEARINGS:
        return False
    current = await get_record(client, uri)
    async with publisher.db.reader() as reader:
        known = await seen.find(reader, str(uri))
    heard = {taking_back.base_cid, taking_back.chosen_cid, None if known is None else known.cid}
    if current is None or current.cid in heard:
        return False
    await publisher.enqueue([await in_flight.what_is_there(publisher, uri)])
    due_at = Instant(publisher.network.clock.now() + (INGESTED_AFTER << taking_back.rounds))
    await settle.give_back(
        publisher, taking_back, PublicationState.RETRACTING, reason=CHANGED_ELSEWHERE, due_at=due_at, is_round=True
    )
    return True


async def _settle_failure(publisher: Publisher, held: LeasedPublication, failure: Failure) -> None:
    """Store whether the row waits for the person, for a retry, or has failed."""
    if isinstance(failure, NotSignedIn) or is_not_allowed(failure):
        why = failure.why if isinstance(failure, NotSignedIn) else NOT_ALLOWED
        await settle.give_back(publisher, held, PublicationState.BLOCKED, reason=why)
    elif failure.name in _ACCOUNT_IS_AWAY:
        # The account has moved or is inactive: its identity is refreshed, and its person signs in at the new server.
        await settle.give_back(publisher, held, PublicationState.BLOCKED, reason=failure.why)
        async with publisher.db.transaction() as tx:
            fixed = await publication_leases.find(tx, held.kind, held.subject_id)  # a first write chose its key since
            if fixed is not None and fixed.did is not None:
                await enqueue(tx, JobKind.REFRESH_IDENTITY, fixed.did, int(tx.now))
    elif retry.is_worth_retrying(failure):
        await settle.try_later(publisher, held, failure.why, retry.asked_seconds(failure))
    else:
        await settle.refuse(publisher, held, failure.why)


async def _session_refused(publisher: Publisher, identity: Identity, refused: NotSignedIn) -> NoReturn:
    """The PDS no longer knows the session. A custodial account signs in again at the next attempt; other people are asked to."""
    await note_refused(publisher.db, publisher.network, identity, refused)
    if identity.kind is IdentityKind.CUSTODIAL:
        raise Unavailable("The session has ended; signing in again.") from refused
    raise refused
