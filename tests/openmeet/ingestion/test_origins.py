"""A record with this site's mark of origin that no row refers to belongs to the event after a restore from a backup,
and only then.
"""

import pytest

from at_protocol.syntax.did import parse_did
from at_protocol.syntax.nsid import parse_nsid
from at_protocol.syntax.record_key import parse_record_key
from at_protocol.syntax.tid import parse_tid
from groundwork.clock import MINUTE
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.events.model import Event
from openmeet.domain.identities import actions as identities
from openmeet.domain.users.model import Caller
from openmeet.network.ingestion.apply import apply
from openmeet.network.ingestion.parsed_messages import IngestResult
from openmeet.network.ingestion.reconcile import reconcile
from openmeet.network.records.collections import EVENT, ORIGIN_KEY
from openmeet.network.records.message import RecordMessage, RecordOperation
from openmeet.outbox.publications import PublicationKind, PublicationState
from tests.openmeet.deployment import Deployment, deliver_all_publications
from tests.openmeet.deployment import deployment_on_each as deployment

__all__ = ["deployment"]


async def restored(deployment: Deployment, event: Event) -> None:
    """Reset the database to the time when the event existed and nothing had been sent, as in a backup from that moment."""
    async with deployment.db.transaction() as tx:
        await tx.execute("delete from publications where kind = 'event' and subject_id = :id", id=event.id)
        await tx.execute("delete from records where uri in (select record_uri from events where id = :id)", id=event.id)
        await tx.execute(
            "update events set record_uri = null, record_cid = null, record_did = null, title = :title,"
            " revision = :revision where id = :id",
            id=event.id,
            title=event.title,
            revision=event.revision,
        )
        await tx.execute(
            "insert into publications (kind, subject_id, user_id, state, revision, due_at, edited_at, changed_at)"
            " values ('event', :id, :user_id, 'due', :revision, :due_at, :now, :now)",
            id=event.id,
            user_id=event.author_id,
            revision=event.revision,
            now=tx.now,
            due_at=tx.now + 10**12,  # later than the message from the network
        )


async def events(deployment: Deployment) -> list[tuple[str, str, int]]:
    async with deployment.db.reader() as reader:
        rows = await reader.fetch("select id, title, revision from events order by id")
    return [(row["id"], row["title"], row["revision"]) for row in rows]


async def records(deployment: Deployment, who: Caller) -> list[dict]:
    identity = await deployment.identity(who.user_id)
    client = await deployment.own_client(identity)
    return (await client.query("com.atproto.repo.listRecords", {"repo": identity.did, "collection": EVENT}))["records"]


async def published(deployment: Deployment, who: Caller, **typed: str) -> Event:
    event = await deployment.event(who, **typed)
    await deliver_all_publications(deployment)
    return event


async def test_records_published_after_the_backup_are_reattached(deployment: Deployment):
    """There is no second event or record. Edits after the backup are read from the record, and publishing continues."""
    ana, ben = await deployment.person("Ana"), await deployment.person("Ben")
    event = await published(deployment, ana)
    await deployment.revise(ana, event.slug, title="Coffee in the park")
    await deliver_all_publications(deployment)
    ((before),) = await records(deployment, ana)
    await restored(deployment, event)
    await deployment.listen(ana.user_id)
    ((known, title, revision),) = await events(deployment)
    assert (known, title) == (event.id, "Coffee in the park")
    assert revision > event.revision
    publication = await deployment.status_of(PublicationKind.EVENT, event.id)
    assert publication.uri == before["uri"]
    answer = await deployment.answer(ben, event.slug, RsvpReply.GOING)
    await deployment.revise(ana, event.slug, title="Cake in the park")
    await deliver_all_publications(deployment)
    ((after),) = await records(deployment, ana)
    assert (after["uri"], after["value"]["name"]) == (before["uri"], "Cake in the park")
    assert after["value"][ORIGIN_KEY]["version"] > before["value"][ORIGIN_KEY]["version"]
    assert (await deployment.status_of(PublicationKind.EVENT, event.id)).state is PublicationState.PUBLISHED
    theirs = await deployment.record((await deployment.status_of(PublicationKind.RSVP, answer.id)).uri or "")
    assert theirs["subject"]["uri"] == before["uri"]


@pytest.mark.parametrize("edited", [False, True])
async def test_no_second_record_is_published_before_the_first_is_read(deployment: Deployment, edited: bool):
    """After a restore, the publisher may be faster than the firehose."""
    ana = await deployment.person("Ana")
    event = await published(deployment, ana)
    await deployment.revise(ana, event.slug, title="Coffee in the park")
    await deliver_all_publications(deployment)
    ((before),) = await records(deployment, ana)
    await restored(deployment, event)
    async with deployment.db.transaction() as tx:
        await tx.execute("update publications set due_at = :now", now=tx.now)
    if edited:
        for title in ("Tea in the park", "Cake in the park"):
            await deployment.revise(ana, event.slug, title=title)
    await deliver_all_publications(deployment)
    await deployment.listen(ana.user_id)
    deployment.clock.turn(MINUTE)
    await deliver_all_publications(deployment)
    await deployment.listen(ana.user_id)
    title = "Cake in the park" if edited else "Coffee in the park"
    ((after),) = await records(deployment, ana)
    assert (after["uri"], after["value"]["name"]) == (before["uri"], title)
    assert [title for _, title, _ in await events(deployment)] == [title]
    assert (await deployment.status_of(PublicationKind.EVENT, event.id)).state is PublicationState.PUBLISHED


async def test_edits_after_the_restore_win(deployment: Deployment):
    """The counter in the mark says which side is newer. In this test it is the row."""
    ana = await deployment.person("Ana")
    event = await published(deployment, ana)
    await restored(deployment, event)
    for title in ("Coffee in the park", "Cake in the park"):
        await deployment.revise(ana, event.slug, title=title)
    async with deployment.db.transaction() as tx:
        await tx.execute("update publications set due_at = :later", later=tx.now + 10**12)
    await deployment.listen(ana.user_id)
    assert [title for _, title, _ in await events(deployment)] == ["Cake in the park"]
    await deliver_all_publications(deployment)
    ((after),) = await records(deployment, ana)
    assert after["value"]["name"] == "Cake in the park"


@pytest.mark.parametrize("case", ["a copy beside the record", "somebody else's", "of a private event", "taken back"])
async def test_a_copied_mark_attaches_nothing(deployment: Deployment, case: str):
    """A record with a copied mark becomes an event of its author, and the event that the mark names does not change."""
    ana, ben = await deployment.person("Ana"), await deployment.person("Ben")
    event = await published(deployment, ana)
    ((original),) = await records(deployment, ana)
    if case == "of a private event":
        await restored(deployment, event)
        async with deployment.db.transaction() as tx:
            await tx.execute("update events set visibility = 'private' where id = :id", id=event.id)
    if case == "taken back":
        await deployment.revise(ana, event.slug, visibility="private")
        await deliver_all_publications(deployment)
        await deployment.revise(ana, event.slug, visibility="public")
        async with deployment.db.transaction() as tx:
            await tx.execute("update publications set state = 'retracted' where uri is null")
    writer = ben if case == "somebody else's" else ana
    identity = await deployment.identity(writer.user_id)
    await (await deployment.own_client(identity)).procedure(
        "com.atproto.repo.createRecord",
        {"repo": identity.did, "collection": EVENT, "record": original["value"], "rkey": "3kaaaaaaaaa22"},
    )
    publication = await deployment.status_of(PublicationKind.EVENT, event.id)
    await deployment.listen(writer.user_id)
    copy = f"at://{identity.did}/{EVENT}/3kaaaaaaaaa22"
    async with deployment.db.reader() as reader:
        rows = await reader.fetch("select id, record_uri from events where record_uri = :uri", uri=copy)
    assert [row["id"] == event.id for row in rows] == [False]
    assert (await deployment.status_of(PublicationKind.EVENT, event.id)).uri == publication.uri


async def test_an_old_message_does_not_reattach_a_retracted_record(deployment: Deployment):
    """A complete read removed the tombstone. When the record's first message is repeated, it is ignored (invariant 10)."""
    ana = await deployment.person("Ana")
    event = await published(deployment, ana)
    await deployment.listen(ana.user_id)
    async with deployment.db.reader() as reader:
        row = await reader.fetch_one("select did, rkey, rev, cid, body from records")
    assert row is not None
    did = parse_did(row["did"])
    old = RecordMessage(
        did,
        parse_nsid(EVENT),
        parse_record_key(row["rkey"]),
        parse_tid(row["rev"]),
        RecordOperation.CREATE,
        row["cid"],
        bytes(row["body"]),
        is_verified=True,
    )
    async with deployment.db.transaction() as tx:
        await identities.withdraw(tx, ana.user_id)
    await deliver_all_publications(deployment)
    assert await records(deployment, ana) == []
    await deployment.revise(ana, event.slug, title="Coffee in the park")
    await deliver_all_publications(deployment)
    note = {"$type": "com.example.note", "text": "later"}
    client = await deployment.own_client(await deployment.identity(ana.user_id))
    for _ in range(2):
        await client.procedure(
            "com.atproto.repo.createRecord", {"repo": did, "collection": note["$type"], "record": note}
        )
        await reconcile(deployment.db, deployment.network, deployment.processor.ingestion_context, did)
    async with deployment.db.transaction() as tx:
        assert await tx.fetch("select uri from records") == []
        assert await apply(tx, deployment.processor.ingestion_context, [old]) == [IngestResult.KNOWN]
        row = await tx.fetch_one("select record_uri from events where id = :id", id=event.id)
    assert row is not None
    assert row["record_uri"] is None
