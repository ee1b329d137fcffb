"""Paying record debts: take what is due, decide from the present, write or take back, note the state.

Two short transactions per record, with the network between them. A payer that dies leaves a row with key, CID and
bytes: the next one reads back before it sends again.
"""

import asyncio
from typing import NoReturn

from at_protocol.syntax.at_uri import parse_at_uri
from at_protocol.syntax.did import parse_did
from groundwork.clock import Instant
from groundwork.database.transaction import Database
from groundwork.errors import Failure, NotSignedIn, Unavailable
from groundwork.outbox import retry
from groundwork.outbox.pay import idle
from groundwork.telemetry.logs import log
from openmeet.debts import publication_leases as leases
from openmeet.debts.publication_leases import Publication
from openmeet.debts.publications import Kind, State, look_again
from openmeet.identities import queries as identity_queries
from openmeet.identities.model import Identity, IdentityKind
from openmeet.identities.sessions import note_refused, open_repository
from openmeet.publication import settling, writing
from openmeet.publication.eligibility import Hold, Leave, PublishEvent, PublishRsvp, Wait, decide
from openmeet.publication.publisher import LEASE_SECONDS, LOOK_AGAIN_AFTER, Publisher
from openmeet.publication.sending import delete_record
from openmeet.publication.together import MAX_WRITES, pay_together


async def run_once(publisher: Publisher, *, limit: int = 20) -> int:
    """Pay what is due now; how many debts were taken. First sends and retractions of one repository go out together."""
    async with publisher.db.transaction() as tx:
        held = await leases.take(tx, limit=limit, seconds=LEASE_SECONDS)
        held += await leases.take_alike(tx, held, limit=MAX_WRITES, seconds=LEASE_SECONDS)
    alone = await pay_together(publisher, held)
    at_once = asyncio.Semaphore(limit)

    async def pay_alone(one: Publication) -> None:
        async with at_once:
            await pay(publisher, one)

    await asyncio.gather(*(pay_alone(one) for one in alone))
    return len(held)


async def run(publisher: Publisher, stop: asyncio.Event, *, wake: asyncio.Event, idle_seconds: float = 1.0) -> None:
    """Pay until ``stop`` is set; ``wake`` cuts the idle wait short."""
    while not stop.is_set():
        wake.clear()
        try:
            taken = await run_once(publisher)
        except Exception as failure:  # noqa: BLE001 - the edge of the worker: the store is away; the rows remain
            log.error("publications.lease_failed", error=repr(failure))
            taken = 0
        if taken == 0:
            await idle(stop, wake, idle_seconds)


async def pay_now(publisher: Publisher, kind: Kind, subject_id: str, *, deadline_seconds: float) -> bool:
    """A request pays its own debt after its commit; False when that did not succeed in time (it stays owed)."""
    async with publisher.db.transaction() as tx:
        held = await leases.take_one(tx, kind=kind, subject_id=subject_id, seconds=LEASE_SECONDS)
    if held is not None:
        # Where the request gives up waiting, the payment goes on: its lease is its own.
        task = asyncio.create_task(pay(publisher, held))
        await asyncio.wait({task}, timeout=deadline_seconds)
    async with publisher.db.reader() as reader:
        after = await leases.find(reader, kind, subject_id)
    return after is not None and after.state is State.PUBLISHED


async def pay(publisher: Publisher, held: Publication) -> None:
    """Pay one leased debt; every outcome is a state of its row, nothing is raised."""
    try:
        await _pay(publisher, held)
    except NotSignedIn as refused:
        await settling.give_back(publisher, held, State.BLOCKED, reason=refused.why)
    except Failure as failure:
        if retry.is_worth_retrying(failure):
            await settling.try_later(publisher, held, failure.why, retry.asked_seconds(failure))
        else:
            await settling.refuse(publisher, held, failure.why)
    except Exception as failure:  # noqa: BLE001 - the edge of the worker: the kind is unknown, the promise must not be lost
        log.error("publication.failed_unforeseen", kind=held.kind.value, subject=held.subject_id, error=repr(failure))
        await settling.try_later(publisher, held, type(failure).__name__, None)


async def _pay(publisher: Publisher, held: Publication) -> None:
    async with publisher.db.reader() as reader:
        decision = await decide(reader, held)
    is_retracting = held.state is State.RETRACTING
    match decision:
        case Hold(why):
            await _hold(publisher, held, why)
        case Leave():
            if is_retracting:
                await settling.forget(publisher, held)
            else:
                async with publisher.db.transaction() as tx:
                    await leases.leave(tx, held)
        case _ if is_retracting:
            await _start_over(publisher, held)
        case Wait(why):
            due_at = Instant(publisher.network.clock.now() + LOOK_AGAIN_AFTER)
            await settling.give_back(publisher, held, State.WAITING, reason=why, due_at=due_at)
        case PublishEvent() | PublishRsvp():
            await _publish(publisher, held, decision)


async def _publish(publisher: Publisher, held: Publication, decision: PublishEvent | PublishRsvp) -> None:
    if await writing.settle_earlier_send(publisher, held):
        return
    client = await open_repository(publisher.db, publisher.network, decision.identity)
    try:
        await writing.write(publisher, client, held, decision)
    except NotSignedIn as refused:
        await _session_refused(publisher.db, decision.identity, refused)


async def _start_over(publisher: Publisher, held: Publication) -> None:
    """It may be public again. What stands there decides from where; the echo of the delete must find the answer here."""
    there = None if held.uri is None else await writing.what_is_there(publisher, parse_at_uri(held.uri))
    if there is not None and there.cid is None:
        await settling.forget(publisher, held, there)
    elif there is not None and there.cid in {held.base_cid, held.chosen_cid}:
        # A delete that nobody answered may still be on its way, and would look like somebody else's.
        await _take_back(publisher, held)
    else:
        await settling.give_back(publisher, held, State.DUE, reason="")
        return
    async with publisher.db.transaction() as tx:
        await look_again(tx, kind=held.kind, subject_ids=[held.subject_id])


async def _hold(publisher: Publisher, held: Publication, why: str) -> None:
    """Nothing of it may be public: what may be out there is taken back."""
    if held.uri is None or held.did is None:
        if held.state is State.RETRACTING:
            await settling.forget(publisher, held)
        else:
            await settling.give_back(publisher, held, State.WITHHELD, reason=why)
        return
    async with publisher.db.transaction() as tx:
        if not await leases.start_retracting(tx, held):
            return
    await _take_back(publisher, leases.as_retracting(held))


async def _take_back(publisher: Publisher, taking_back: Publication) -> None:
    """Delete the record of a row that says it is being taken back."""
    if taking_back.uri is None or taking_back.did is None:
        return
    uri = parse_at_uri(taking_back.uri)
    async with publisher.db.reader() as reader:
        identity = await identity_queries.find(reader, taking_back.did)
    if identity is None or not identity.can_write:
        await settling.give_back(publisher, taking_back, State.BLOCKED, reason="Sign in with the account it is in.")
        return
    try:
        client = await open_repository(publisher.db, publisher.network, identity)
        try:
            rev = await delete_record(client, uri, expected=taking_back.base_cid)
        except NotSignedIn as refused:
            await _session_refused(publisher.db, identity, refused)
        gone = await writing.absence(publisher, uri, rev)
    except NotSignedIn as refused:
        await settling.give_back(publisher, taking_back, State.BLOCKED, reason=refused.why)
    except Failure as failure:
        if retry.is_worth_retrying(failure):
            await settling.try_later(publisher, taking_back, failure.why, retry.asked_seconds(failure))
        else:
            await settling.refuse(publisher, taking_back, failure.why)
    else:
        await settling.forget(publisher, taking_back, gone)


async def _session_refused(db: Database, identity: Identity, refused: NotSignedIn) -> NoReturn:
    """The PDS no longer knows the session. A custodial account signs in anew with the next try; others are asked to."""
    await note_refused(db, parse_did(identity.did))
    if identity.kind is IdentityKind.CUSTODIAL:
        raise Unavailable("The session has ended; signing in again.") from refused
    raise refused
