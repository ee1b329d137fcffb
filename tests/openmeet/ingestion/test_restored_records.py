"""The database is restored from a backup. RSVPs and memberships that were published since then belong to their rows
again: there is one record and one answer, the newest one counts, and withdrawing consent deletes the record.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from at_protocol.syntax.at_uri import parse_at_uri
from groundwork.clock import DAY, HOUR, MINUTE, HandClock
from groundwork.database.open_ import open_database, sqlite_path
from groundwork.database.sqlite_dump import copy_file
from groundwork.database.transaction import Database
from openmeet.domain.attendance import queries as attendance_queries
from openmeet.domain.attendance.model import Attendance, RsvpReply
from openmeet.domain.erasure.ledger import ErasureLedger
from openmeet.domain.events.model import Event
from openmeet.domain.groups import actions, administration
from openmeet.domain.groups import queries as group_queries
from openmeet.domain.groups.model import Group, GroupRole
from openmeet.domain.identities import actions as identities
from openmeet.domain.users.model import Caller
from openmeet.feature_flags.flags import Flag
from openmeet.network.firehose.delivery import TenantQueues
from openmeet.network.firehose.verification import Verifier
from openmeet.network.ingestion.backfill import backfill
from openmeet.network.ingestion.processor import Processor
from openmeet.network.ingestion.reconcile import reconcile
from openmeet.network.records.collections import ACCEPTANCE, MEMBERSHIP, RSVP
from openmeet.network.records.database_periods import note_in_use, note_restore
from openmeet.network.records.rsvp import GOING, record_key_for
from openmeet.outbox.publications import PublicationKind, PublicationState
from tests.databases import SqliteFiles
from tests.openmeet.deployment import (
    Deployment,
    deliver_all_publications,
    open_deployment,
    records_in_repository,
    records_of,
    switch_flag,
)
from tests.openmeet.publishing.accounts import connect_second_account
from tests.openmeet.publishing.published_groups import create_group, let_into_group, show_membership

# Called with the site and the people whose repositories are read.
Read = Callable[..., Awaitable[None]]


@dataclass
class Site:
    """A deployment whose database is backed up and restored. ``ledger`` is stored elsewhere."""

    deployment: Deployment
    url: str
    folder: Path
    clock: HandClock
    make_sqlite: SqliteFiles
    stack: AsyncExitStack
    ledger: ErasureLedger = field(init=False)

    def __post_init__(self) -> None:
        self.ledger = ErasureLedger(self.folder / "elsewhere" / "erasures.jsonl")

    async def back_up(self) -> None:
        await note_in_use(self.deployment.db, self.ledger)
        self.clock.turn(MINUTE)
        copy_file(sqlite_path(self.url), self.folder / "backup.db")
        self.clock.turn(HOUR)

    async def restore(self) -> None:
        """Continue with the backup, a day later. The stream is read again from its beginning."""
        self.clock.turn(HOUR)
        await note_in_use(self.deployment.db, self.ledger)
        self.clock.turn(DAY)
        before = self.deployment
        db = await _open(self.stack, f"sqlite://{self.folder / 'backup.db'}", self.clock)
        self.deployment = replace(
            before,
            db=db,
            publisher=replace(before.publisher, db=db),
            processor=Processor(db, before.queue, before.processor.ingestion_context, before.processor.metrics),
            consumer=replace(
                before.consumer,
                db=await self.make_sqlite("openmeet.network.firehose", clock=self.clock),
                verifier=Verifier(before.network.dids, self.clock),
                tenant_queues=TenantQueues({"main": before.queue}, before.consumer.metrics),
            ),
        )
        assert await note_restore(db, self.ledger)
        self.clock.turn(MINUTE)

    async def rsvp(self, event: Event, who: Caller) -> Attendance:
        async with self.deployment.db.reader() as reader:
            attendance = await attendance_queries.find(reader, event.id, who.user_id)
        assert attendance is not None
        return attendance


async def _open(stack: AsyncExitStack, url: str, clock: HandClock) -> Database:
    db = await open_database(url, clock=clock)
    stack.push_async_callback(db.close)
    return db


@pytest.fixture
async def site(make_sqlite: SqliteFiles, clock: HandClock, tmp_path: Path) -> AsyncIterator[Site]:
    async with AsyncExitStack() as stack:
        url = await make_sqlite.url("openmeet")
        db = await _open(stack, url, clock)
        opened = await stack.enter_async_context(open_deployment(db, make_sqlite, clock, tmp_path))
        yield Site(opened, url, tmp_path, clock, make_sqlite, stack)


async def stream_first(site: Site, *people: Caller) -> None:
    """The stream is read again before anything is delivered."""
    await listen(site, *people)
    await settle(site, *people)


async def outbox_first(site: Site, *people: Caller) -> None:
    """Publications in the backup are delivered before anything is read."""
    await settle(site, *people)


async def repository_first(site: Site, *people: Caller) -> None:
    """The repositories are read as a whole; the stream is too old."""
    for who in people:
        did = (await site.deployment.identity(who.user_id)).did
        await reconcile(site.deployment.db, site.deployment.network, site.deployment.processor.ingestion_context, did)
    await settle(site, *people)


async def listen(site: Site, *people: Caller) -> None:
    for who in people:
        # Otherwise the stream is read past their first commits.
        site.deployment.consumer.interests.followed.add((await site.deployment.identity(who.user_id)).did)
    for who in people:
        await site.deployment.listen(who.user_id)


async def settle(site: Site, *people: Caller) -> None:
    for _ in range(4):
        await deliver_all_publications(site.deployment)
        await listen(site, *people)
        site.clock.turn(HOUR)


each_order = pytest.mark.parametrize("read", [stream_first, outbox_first, repository_first])


async def ready(site: Site) -> tuple[Caller, Caller, Event]:
    """A published event of Hedi's, and Cleo, who also agrees to publishing."""
    hedi, cleo = await site.deployment.person("Hedi"), await site.deployment.person("Cleo")
    event = await site.deployment.event(hedi)
    await settle(site, hedi, cleo)
    return hedi, cleo, event


async def answer(site: Site, who: Caller, event: Event, reply: RsvpReply) -> None:
    await site.deployment.answer(who, event.slug, reply)
    await deliver_all_publications(site.deployment)
    site.clock.turn(HOUR)


async def is_published(site: Site, event: Event, who: Caller, *, status: str, token: str) -> str:
    """Check that there is one record, with this status, and that it belongs to the RSVP; return its URI."""
    rsvp = await site.rsvp(event, who)
    ((uri, record),) = (await records_of(site.deployment, who, RSVP)).items()
    publication = await site.deployment.status_of(PublicationKind.RSVP, rsvp.id)
    assert (rsvp.status.value, record["status"].partition("#")[2]) == (status, token)
    assert (publication.state, publication.uri, rsvp.record_uri) == (PublicationState.PUBLISHED, uri, uri)
    return uri


async def withdraw(site: Site, *people: Caller) -> None:
    for who in people:
        async with site.deployment.db.transaction() as tx:
            await identities.withdraw(tx, who.user_id)
    await settle(site, *people)


@each_order
async def test_an_answer_given_after_the_backup_is_attached(site: Site, read: Read):
    hedi, cleo, event = await ready(site)
    await site.back_up()
    await answer(site, cleo, event, RsvpReply.GOING)
    ((uri, _),) = (await records_of(site.deployment, cleo, RSVP)).items()
    await site.restore()
    await read(site, hedi, cleo)
    assert await is_published(site, event, cleo, status="attending", token="going") == uri
    await answer(site, cleo, event, RsvpReply.INTERESTED)
    await settle(site, cleo)
    assert await is_published(site, event, cleo, status="interested", token="interested") == uri
    await withdraw(site, cleo)
    assert await records_of(site.deployment, cleo, RSVP) == {}


async def test_an_answer_in_an_own_account_is_attached_when_its_owner_signs_in(site: Site):
    hedi, _, event = await ready(site)
    dan = await site.deployment.connected("dan")
    await settle(site, dan)
    await site.back_up()
    await answer(site, dan, event, RsvpReply.GOING)
    ((uri, _),) = (await records_of(site.deployment, dan, RSVP)).items()
    await site.restore()
    assert (await site.deployment.connected_as("dan")).user_id == dan.user_id
    await settle(site, hedi, dan)
    assert await is_published(site, event, dan, status="attending", token="going") == uri
    await withdraw(site, dan)
    assert await records_of(site.deployment, dan, RSVP) == {}


@pytest.mark.parametrize("is_read_first", [False, True])
async def test_no_second_record_is_written_to_another_account(site: Site, is_read_first: bool):
    """The answer is unsent in the backup. After the backup it was published with an account that was chosen later."""
    _, cleo, event = await ready(site)
    first = (await site.deployment.identity(cleo.user_id)).did
    dids = [first, await connect_second_account(site.deployment, cleo)]

    async def read_all() -> None:
        for did in dids:
            await backfill(
                site.deployment.db, site.deployment.network, site.deployment.processor.ingestion_context, did
            )

    await read_all()
    async with site.deployment.db.transaction() as tx:
        await identities.make_default(tx, cleo.user_id, first)
    await site.deployment.answer(cleo, event.slug, RsvpReply.GOING)
    await site.back_up()
    async with site.deployment.db.transaction() as tx:
        await identities.make_default(tx, cleo.user_id, dids[1])
    await deliver_all_publications(site.deployment)
    ((uri, _),) = (await records_in_repository(site.deployment, dids[1], RSVP)).items()
    await site.restore()
    if is_read_first:
        await read_all()
    await deliver_all_publications(site.deployment)
    await read_all()
    site.clock.turn(HOUR)
    await deliver_all_publications(site.deployment)
    assert [list(await records_in_repository(site.deployment, did, RSVP)) for did in dids] == [[], [uri]]
    rsvp = await site.rsvp(event, cleo)
    publication = await site.deployment.status_of(PublicationKind.RSVP, rsvp.id)
    assert (rsvp.record_uri, publication.uri, publication.state) == (uri, uri, PublicationState.PUBLISHED)


@each_order
async def test_an_attached_answer_is_deleted_when_consent_is_withdrawn(site: Site, read: Read):
    hedi, cleo, event = await ready(site)
    await site.back_up()
    await answer(site, cleo, event, RsvpReply.GOING)
    await site.restore()
    await read(site, hedi, cleo)
    await withdraw(site, cleo)
    assert await records_of(site.deployment, cleo, RSVP) == {}
    assert (await site.rsvp(event, cleo)).status.value == "attending"


@each_order
@pytest.mark.parametrize(
    ("reply", "status", "token"),
    [(RsvpReply.INTERESTED, "interested", "interested"), (RsvpReply.DECLINED, "declined", "notgoing")],
)
async def test_an_answer_changed_after_the_backup_counts(
    site: Site, read: Read, reply: RsvpReply, status: str, token: str
):
    hedi, cleo, event = await ready(site)
    await answer(site, cleo, event, RsvpReply.GOING)
    await settle(site, hedi, cleo)
    await site.back_up()
    await answer(site, cleo, event, reply)
    await site.restore()
    await read(site, hedi, cleo)
    await is_published(site, event, cleo, status=status, token=token)
    await withdraw(site, cleo)
    assert await records_of(site.deployment, cleo, RSVP) == {}


@each_order
async def test_an_answer_unsent_in_the_backup_and_changed_since_counts_as_changed(site: Site, read: Read):
    hedi, cleo, event = await ready(site)
    await site.deployment.answer(cleo, event.slug, RsvpReply.GOING)
    await site.back_up()
    await answer(site, cleo, event, RsvpReply.GOING)
    await answer(site, cleo, event, RsvpReply.INTERESTED)
    await site.restore()
    await read(site, hedi, cleo)
    await is_published(site, event, cleo, status="interested", token="interested")
    await withdraw(site, cleo)
    assert await records_of(site.deployment, cleo, RSVP) == {}


@each_order
async def test_an_answer_deleted_and_given_again_after_the_backup_is_attached(site: Site, read: Read):
    hedi, cleo, event = await ready(site)
    await answer(site, cleo, event, RsvpReply.GOING)
    await settle(site, hedi, cleo)
    await site.back_up()
    await withdraw(site, cleo)
    assert await records_of(site.deployment, cleo, RSVP) == {}
    async with site.deployment.db.transaction() as tx:
        await identities.grant_consent(tx, cleo.user_id, handle="cleo.town.test")
    await answer(site, cleo, event, RsvpReply.INTERESTED)
    await settle(site, hedi, cleo)
    await site.restore()
    await read(site, hedi, cleo)
    await is_published(site, event, cleo, status="interested", token="interested")
    await withdraw(site, cleo)
    assert await records_of(site.deployment, cleo, RSVP) == {}


@each_order
async def test_a_record_deleted_after_the_backup_is_not_written_again(site: Site, read: Read):
    """Cleo withdrew her consent, which the backup does not know."""
    hedi, cleo, event = await ready(site)
    await answer(site, cleo, event, RsvpReply.GOING)
    await settle(site, hedi, cleo)
    await site.back_up()
    await withdraw(site, cleo)
    await site.restore()
    await read(site, hedi, cleo)
    assert await records_of(site.deployment, cleo, RSVP) == {}


@each_order
async def test_an_answer_given_after_the_restore_is_the_newest(site: Site, read: Read):
    hedi, cleo, event = await ready(site)
    await site.back_up()
    await answer(site, cleo, event, RsvpReply.GOING)
    ((uri, _),) = (await records_of(site.deployment, cleo, RSVP)).items()
    await site.restore()
    await site.deployment.answer(cleo, event.slug, RsvpReply.INTERESTED)
    await read(site, hedi, cleo)
    assert await is_published(site, event, cleo, status="interested", token="interested") == uri
    await withdraw(site, cleo)
    assert await records_of(site.deployment, cleo, RSVP) == {}


@each_order
async def test_an_answer_without_consent_in_the_backup_is_left_to_its_author(site: Site, read: Read):
    """Her consent is lost. What she published is not deleted, and it counts."""
    hedi, cleo, event = await ready(site)
    async with site.deployment.db.transaction() as tx:
        await identities.withdraw(tx, cleo.user_id)
    await settle(site, hedi, cleo)
    await site.back_up()
    async with site.deployment.db.transaction() as tx:
        await identities.grant_consent(tx, cleo.user_id, handle="cleo.town.test")
    await answer(site, cleo, event, RsvpReply.GOING)
    await site.restore()
    await read(site, hedi, cleo)
    assert len(await records_of(site.deployment, cleo, RSVP)) == 1
    assert (await site.rsvp(event, cleo)).status.value == "attending"


@pytest.mark.parametrize("when", ["before the backup", "after the restore"])
async def test_only_a_restore_attaches_records(site: Site, when: str):
    """Another installation writes the record under the same key. Withdrawing consent on this one does not delete it."""
    hedi, cleo, event = await ready(site)
    event_uri = (await site.deployment.status_of(PublicationKind.EVENT, event.id)).uri or ""
    at = {
        "repo": (await site.deployment.identity(cleo.user_id)).did,
        "collection": RSVP,
        "rkey": record_key_for(parse_at_uri(event_uri)),
    }
    subject = {"uri": event_uri, "cid": (await site.deployment.record(event_uri))["cid"]}
    record = {"$type": RSVP, "subject": subject, "status": GOING, "createdAt": "2026-03-01T12:00:00.000Z"}

    async def write_elsewhere() -> None:
        app = await site.deployment.own_client(await site.deployment.identity(cleo.user_id))
        await app.procedure("com.atproto.repo.putRecord", {**at, "record": record})
        await settle(site, hedi, cleo)

    if when == "before the backup":
        await write_elsewhere()
    await site.back_up()
    await site.restore()
    await listen(site, hedi, cleo)
    if when == "after the restore":
        await write_elsewhere()
    await settle(site, hedi, cleo)
    assert (await site.rsvp(event, cleo)).status.value == "attending"
    await withdraw(site, cleo)
    assert len(await records_of(site.deployment, cleo, RSVP)) == 1


async def test_records_of_other_apps_are_left_to_them(site: Site):
    """The record was written in the lost time, under another app's key."""
    hedi, cleo, event = await ready(site)
    await site.back_up()
    await answer(site, cleo, event, RsvpReply.GOING)
    ((uri, record),) = (await records_of(site.deployment, cleo, RSVP)).items()
    await withdraw(site, cleo)
    app = await site.deployment.own_client(await site.deployment.identity(cleo.user_id))
    await app.procedure(
        "com.atproto.repo.createRecord", {"repo": uri.split("/")[2], "collection": RSVP, "record": record}
    )
    await site.restore()
    await stream_first(site, hedi, cleo)
    await withdraw(site, cleo)
    assert len(await records_of(site.deployment, cleo, RSVP)) == 1


async def with_group(site: Site) -> tuple[Caller, Caller, Group]:
    await switch_flag(site.deployment, Flag.GROUPS, Flag.MEMBERSHIPS)
    hedi, cleo = await site.deployment.person("Hedi"), await site.deployment.person("Cleo")
    group = await create_group(site.deployment, hedi)
    await settle(site, hedi, cleo)
    return hedi, cleo, group


async def role_of(site: Site, group: Group, who: Caller) -> tuple[GroupRole | None, bool]:
    """Somebody's role, and whether their membership is public."""
    async with site.deployment.db.reader() as reader:
        membership = await group_queries.find_member(reader, group.id, who.user_id)
    return (None, False) if membership is None else (membership.role, membership.sync_enabled)


async def has_statements(site: Site, owner: Caller, who: Caller) -> tuple[int, int]:
    """How many statements there are by the member and by the group."""
    return len(await records_of(site.deployment, who, MEMBERSHIP)), len(
        await records_of(site.deployment, owner, ACCEPTANCE)
    )


async def leave(site: Site, who: Caller, group: Group) -> None:
    async with site.deployment.db.transaction() as tx:
        await actions.leave(tx, who, group.slug)


@each_order
@pytest.mark.parametrize("in_backup", ["nobody", "a member"])
async def test_a_membership_published_after_the_backup_is_attached(site: Site, read: Read, in_backup: str):
    """There is one statement of each side, and leaving deletes both."""
    hedi, cleo, group = await with_group(site)
    if in_backup == "a member":
        await let_into_group(site.deployment, hedi, group, cleo)
    await site.back_up()
    if in_backup == "nobody":
        await let_into_group(site.deployment, hedi, group, cleo)
    await show_membership(site.deployment, cleo, group)
    await settle(site, hedi, cleo)
    assert await has_statements(site, hedi, cleo) == (1, 1)
    await site.restore()
    await read(site, hedi, cleo)
    assert await role_of(site, group, cleo) == (GroupRole.MEMBER, True)
    assert await has_statements(site, hedi, cleo) == (1, 1)
    await leave(site, cleo, group)
    await settle(site, hedi, cleo)
    assert await has_statements(site, hedi, cleo) == (0, 0)
    assert (await role_of(site, group, cleo))[0] is GroupRole.LEFT


@each_order
async def test_a_membership_ended_after_the_backup_stays_ended(site: Site, read: Read):
    hedi, cleo, group = await with_group(site)
    await let_into_group(site.deployment, hedi, group, cleo)
    await show_membership(site.deployment, cleo, group)
    await settle(site, hedi, cleo)
    await site.back_up()
    await leave(site, cleo, group)
    await settle(site, hedi, cleo)
    assert await has_statements(site, hedi, cleo) == (0, 0)
    await site.restore()
    await read(site, hedi, cleo)
    assert (await role_of(site, group, cleo))[0] is GroupRole.LEFT
    assert await has_statements(site, hedi, cleo) == (0, 0)


@each_order
async def test_a_role_given_after_the_backup_is_kept(site: Site, read: Read):
    hedi, cleo, group = await with_group(site)
    await let_into_group(site.deployment, hedi, group, cleo)
    await show_membership(site.deployment, cleo, group)
    await settle(site, hedi, cleo)
    await site.back_up()
    async with site.deployment.db.transaction() as tx:
        await administration.change_role(tx, hedi, group.slug, cleo.user_id, GroupRole.MODERATOR)
    await settle(site, hedi, cleo)
    await site.restore()
    await read(site, hedi, cleo)
    assert await role_of(site, group, cleo) == (GroupRole.MODERATOR, True)
    assert await has_statements(site, hedi, cleo) == (1, 1)
