"""An event gets another owner, or another repository: what is out stays where it is, and leads to the record that goes on.

The old record is one of before from now on (``debts.former_records``), with a promise of its own, in the name of whose repository has it:
nothing more is written there than where the event went on, and what is not for everybody any more is taken away. The event has that uri
as its record's until the new one is there, and leads there for good. What stands in the own repository of its group stays
there, whoever owns it.
"""

from collections.abc import Sequence
from dataclasses import replace

from groundwork.database.transaction import Reader, Transaction
from openmeet.domain.events import co_host_queries, owner_queries, queries
from openmeet.domain.events.changes import tell_listeners
from openmeet.domain.events.edits import search_text
from openmeet.domain.events.model import Event, Origin
from openmeet.domain.identities import queries as identities
from openmeet.domain.users.model import UserId
from openmeet.outbox import former_records, publication_moves, publications
from openmeet.outbox.former_records import Former
from openmeet.outbox.publications import FORMER_OF, Kind


async def change(tx: Transaction, events: Sequence[Event], to: UserId) -> list[Event]:
    """These locked events are somebody else's from now on, who has said yes to what they say; as they are then."""
    passing = [one for one in events if one.author_id != to]
    of_groups = await owner_queries.held_by_groups(tx, [one.id for one in passing if one.group is not None])
    for one in passing:
        if one.id not in of_groups:
            await leave_record(tx, Kind.EVENT, one.id, one.author_id, one.revision + 1, theirs=_own_record(one))
            await _return(tx, one, to)
    if not passing:
        return []
    await owner_queries.set_authors(tx, [one.id for one in passing], to)
    await co_host_queries.author_instead(tx, [one.id for one in passing], to)
    return await _go_on(tx, [replace(one, author_id=to, origin=Origin.HERE, awaits_author=False) for one in passing])


async def move_records(tx: Transaction, events: Sequence[Event], to: str | None = None) -> None:
    """The records of these locked events are to stand in another repository, which is found when they are paid.

    ``to``: its DID, where it is another one of the same person: a record that was there before goes on.
    """
    moving = []
    for one in events:
        if await leave_record(tx, Kind.EVENT, one.id, one.author_id, one.revision + 1, theirs=_own_record(one)):
            moving.append(one)
            if to is not None:
                former = await former_records.of(tx, Kind.EVENT, one.id)
                await return_to(tx, Kind.EVENT, one.id, former, one.author_id, did=to)
    await _go_on(tx, moving)


async def leave_record(
    tx: Transaction,
    kind: Kind,
    subject_id: str,
    owner: UserId,
    revision: int,
    *,
    theirs: tuple[str, str, bool] | None = None,
) -> bool:
    """The record that this has, or may have, is one of before; False where there is none.

    ``theirs``: DID and uri of a record that may not have been written from here, and whether its author wrote it elsewhere.
    """
    sent = await publication_moves.uri_of(tx, kind, subject_id)
    uri = sent or (None if theirs is None else theirs[1])
    if uri is None or (sent is None and await former_records.find(tx, uri) is not None):
        return False
    await former_records.note(tx, kind, subject_id, uri, is_authors=theirs is not None and theirs[2])
    if sent is not None:
        await publication_moves.rename(
            tx, kind, subject_id, to=(FORMER_OF[kind], uri), user_id=owner, revision=revision
        )
    elif theirs is not None:
        did, _, _ = theirs
        await publication_moves.take_on(tx, FORMER_OF[kind], uri, user_id=owner, revision=revision, record=(did, uri))
    return True


async def return_to(
    tx: Transaction, kind: Kind, subject_id: str, former: Sequence[Former], owner: UserId, did: str | None = None
) -> None:
    """Whose repository has a record of before, has it again: that one goes on. ``did``: in this repository of theirs alone."""
    dids = {one.did for one in await identities.of_user(tx, owner) if did in {None, one.did}}
    for one in reversed(former):
        if one.is_there and one.uri.split("/")[2] in dids:
            await publication_moves.come_back(tx, kind, subject_id, FORMER_OF[kind], one.uri, owner)
            return


async def records_of(reader: Reader, events: Sequence[Event]) -> dict[str, tuple[str, str]]:
    """DID and uri of the records that these events have, without those that stay where they were before; by event."""
    held = {one.id: (one.record_did, one.record_uri) for one in events if one.record_did and one.record_uri}
    former = await former_records.subjects(reader, Kind.EVENT, [uri for _, uri in held.values()])
    return {event_id: record for event_id, record in held.items() if record[1] not in former}


async def _return(tx: Transaction, event: Event, to: UserId) -> None:
    former = await former_records.of(tx, Kind.EVENT, event.id)
    await return_to(tx, Kind.EVENT, event.id, former, to)
    if (
        former
        and event.record_uri in {one.uri for one in former}
        and event.record_did in {one.did for one in await identities.of_user(tx, to)}
    ):
        # Nothing else came of it meanwhile: it has been the event's record all the time.
        await former_records.drop(tx, event.record_uri)


async def _go_on(tx: Transaction, events: Sequence[Event]) -> list[Event]:
    saved = [replace(one, revision=one.revision + 1, updated_at=tx.now) for one in events]
    await queries.update_many(tx, [(one, search_text(one)) for one in saved])
    await tell_listeners(tx, saved)
    await publications.owe_many(tx, kind=Kind.EVENT, owed=[(one.id, one.author_id, one.revision) for one in saved])
    return saved


def _own_record(event: Event) -> tuple[str, str, bool] | None:
    if event.record_did is None or event.record_uri is None:
        return None
    return event.record_did, event.record_uri, event.origin is Origin.NETWORK
