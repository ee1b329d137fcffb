"""Labels over real sockets, from our own server and from a labeler that breaks the rules."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from at_network.did_resolver import DidResolver, DidSettings
from at_network.event_stream import Backoff
from at_protocol.crypto.did_key import format_did_key
from at_protocol.crypto.k256 import K256PrivateKey
from at_protocol.sync import frames
from at_protocol.syntax.datetime import format_datetime
from at_protocol.syntax.did import Did
from aurora_locus.app import open_server
from aurora_locus.moderation import labels as host_labels
from aurora_locus.moderation.roles import AuditContext, OperatorRole, PdsOperator
from aurora_locus.settings import PdsSettings
from groundwork.clock import HOUR, MINUTE, HandClock
from groundwork.database.transaction import Database, DatabaseUnavailable, Transaction, TransactionTooLong
from groundwork.errors import FailureReason
from groundwork.http.client import HttpClient
from groundwork.http.reach import DEVELOPMENT
from groundwork.http.server import serve
from groundwork.settings import Secret
from groundwork.telemetry.metrics import Metrics
from openmeet.domain.events.content import Content
from openmeet.domain.events.model import Event
from openmeet.domain.identities import actions as identities
from openmeet.domain.moderation import actions, labels, visibility
from openmeet.domain.moderation.model import ModeratedKind, ModerationAction, Subject, SubjectVisibility
from openmeet.domain.series import actions as series
from openmeet.domain.series import queries as series_queries
from openmeet.domain.series.model import Timing
from openmeet.i18n.reasons.messages import explain
from openmeet.network.firehose import labelers
from openmeet.network.firehose.cursors import SourceState
from openmeet.network.firehose.labelers import LabelerContext, counter_of, expire_due
from openmeet.network.firehose.reasons import FirehoseReason
from openmeet.recurrence.pattern import pattern
from openmeet.recurrence.rule import parse_rule
from tests.databases import MakeDatabase
from tests.openmeet.events.network_event import PARTY_URI
from tests.openmeet.firehose.labeler import Labeler, cursor_of, document_of, heard, heard_to, serving
from tests.openmeet.moderation.network_party import found_and_visible, insert_network_event
from tests.openmeet.site_under_test import event_by, person
from tests.simulation.directory import Directory
from tests.simulation.processes import free_port
from tests.system.tour.polling import eventually
from tests.timeouts import TIMEOUT_SECONDS

DID = PARTY_URI.split("/")[2]
LABELER = Did("did:plc:llllllllllllllllllllllll")
STRANGER = Did("did:plc:ssssssssssssssssssssssss")


@dataclass
class Bench:
    """A community that follows one labeler, and a directory whose documents tests can change."""

    labelling: LabelerContext
    labeler: Labeler
    documents: dict[str, dict[str, object]]
    clock: HandClock

    @property
    def db(self):
        return self.labelling.db

    async def hear(self, *said: dict[str, object]) -> None:
        """Send these labels, each in its own frame, and read them."""
        number = max([self.labeler.say(one) for one in said], default=len(self.labeler.said))
        await heard_to(self.labelling, self.labeler, number)

    async def shown(self, event: Event) -> bool:
        async with self.db.reader() as reader:
            both = await found_and_visible(reader, event)
        assert both in {(True, True), (False, False)}
        return both[0]

    async def event(self) -> Event:
        async with self.db.transaction() as tx:
            return (await insert_network_event(tx))[0]

    def counted(self, outcome: str) -> float:
        return self.labelling.counter.labels(outcome)._value.get()


@pytest.fixture
async def bench(make_database: MakeDatabase, clock: HandClock) -> AsyncIterator[Bench]:
    documents: dict[str, dict[str, object]] = {}
    http = HttpClient(DEVELOPMENT)
    async with Directory(documents) as directory, serving(Labeler(LABELER)) as labeler:
        documents[LABELER] = labeler.document
        dids = DidResolver(http, clock, DidSettings(directory.url, is_development=True))
        backoff = Backoff(first_seconds=0.01, longest_seconds=0.01)
        db = await make_database("openmeet")
        yield Bench(
            LabelerContext(db, http, clock, dids, counter_of(Metrics("openmeet")), backoff), labeler, documents, clock
        )
        await dids.close()
    await http.close()


@pytest.mark.parametrize("value", sorted(labels.HIDING))
async def test_a_label_hides_an_event_while_it_is_valid(bench, value):
    event = await bench.event()
    await bench.hear(bench.labeler.label(PARTY_URI, value))
    assert not await bench.shown(event)
    await bench.hear(bench.labeler.label(PARTY_URI, value, at="2026-03-01T10:05:00.000Z", is_negated=True))
    assert await bench.shown(event)
    assert bench.counted("kept") == 2


async def test_a_label_on_an_account_hides_all_its_events(bench):
    await bench.hear(bench.labeler.label(DID))
    event = await bench.event()
    assert not await bench.shown(event)
    await bench.hear(bench.labeler.label(DID, at="2026-03-01T10:05:00.000Z", is_negated=True))
    assert await bench.shown(event)


async def test_other_labels_only_warn(bench):
    event = await bench.event()
    await bench.hear(bench.labeler.label(PARTY_URI, "rude"), bench.labeler.label(DID, "!warn"))
    assert await bench.shown(event)
    async with bench.db.reader() as reader:
        assert {one.value for said in (await labels.about(reader, [PARTY_URI, DID])).values() for one in said} == {
            "rude",
            "!warn",
        }


async def test_a_label_hides_a_members_unpublished_events_too(bench):
    """The host still sees the event, and other people's data is not affected."""
    async with bench.db.transaction() as tx:
        ana, ben = await person(tx, "Ana"), await person(tx, "Ben")
        await identities.link(tx, Did(DID), ana.user_id, handle="ana.test", pds_url="https://pds.example")
        own, others = await event_by(tx, ana, title="Own"), await event_by(tx, ben, title="Other")
        when = Timing(
            pattern(datetime(2026, 7, 7, 18, 0, tzinfo=UTC), "Europe/Berlin", parse_rule("FREQ=WEEKLY;COUNT=3")), None
        )
        weekly = await series.create(tx, ana, Content(title="Tea"), when)
    await bench.hear(bench.labeler.label(DID))
    assert not await bench.shown(own)
    assert await bench.shown(others)
    async with bench.db.reader() as reader:
        assert (await found_and_visible(reader, own, ana))[1]
        assert not (await found_and_visible(reader, own, ben))[1]
        assert (await series_queries.by_id(reader, weekly.id)).is_hidden


async def test_invalid_labels_are_ignored(bench):
    """Labels with a wrong key, another source, a changed value, no signature, or a time in the future hide nothing, and
    all are counted.
    """
    event, speaker = await bench.event(), bench.labeler
    changed = {**speaker.label(PARTY_URI, "rude"), "val": "spam"}
    unsigned = {name: value for name, value in speaker.label(PARTY_URI).items() if name != "sig"}
    ahead = format_datetime(bench.clock.now() + HOUR)
    await bench.hear(
        speaker.label(PARTY_URI, key=K256PrivateKey.from_random(b"o" * 32)),
        speaker.label(PARTY_URI, by=STRANGER),
        changed,
        unsigned,
        speaker.label(PARTY_URI, at=ahead),
        {**speaker.label(PARTY_URI), "sig": b"x"},
        {**speaker.label(PARTY_URI), "ver": 2},
    )
    assert await bench.shown(event)
    assert (bench.counted("refused"), bench.counted("kept")) == (7, 0)
    await bench.hear(speaker.label(PARTY_URI))
    assert not await bench.shown(event)


async def test_invalid_frames_do_not_stop_the_stream(bench):
    event, speaker = await bench.event(), bench.labeler
    speaker.said += [
        b"\xff",
        frames.encode_message("#labels", {"seq": 2, "labels": "x"}),
        frames.encode_message("#info", {"name": "OutdatedCursor"}),
    ]
    await bench.hear(speaker.label(PARTY_URI))
    assert not await bench.shown(event)
    assert bench.counted("refused") == 2


async def test_a_subject_too_long_for_an_index_stops_nothing(bench):
    """Subjects have the maximum length of the protocol and do not compress."""
    event, speaker = await bench.event(), bench.labeler
    letters = "".join(chr(97 + (number * number * 31 + number // 7) % 26) for number in range(2_000))
    await bench.hear(speaker.label(f"did:web:{letters}"), speaker.label(PARTY_URI))
    assert not await bench.shown(event)
    assert (bench.counted("refused"), bench.counted("kept")) == (1, 1)


async def test_repeated_labels_change_nothing(bench):
    """The labeler repeats its whole history on each connection, with new numbers too. Labels that were negated stay
    negated.
    """
    event, speaker = await bench.event(), bench.labeler
    spam = speaker.label(PARTY_URI)
    await bench.hear(spam, speaker.label(PARTY_URI, at="2026-03-01T10:05:00.000Z", is_negated=True))
    speaker.ignores_cursor = True
    await bench.hear(spam)
    assert await bench.shown(event)
    assert speaker.cursors == [0, 2]
    assert (bench.counted("kept"), bench.counted("known")) == (2, 1)
    assert await cursor_of(bench.labelling, LABELER) == 3


async def test_a_label_expires(bench):
    event, speaker = await bench.event(), bench.labeler
    spam = speaker.label(PARTY_URI, exp=format_datetime(bench.clock.now() + HOUR))
    await bench.hear(spam)
    assert not await bench.shown(event)
    assert await expire_due(bench.labelling) == 0
    bench.clock.turn(HOUR)
    assert await expire_due(bench.labelling) == 1
    assert await bench.shown(event)
    await bench.hear(spam)
    assert await bench.shown(event)


async def test_an_expired_label_hides_nothing(bench):
    event, speaker = await bench.event(), bench.labeler
    await bench.hear(speaker.label(PARTY_URI, exp=format_datetime(bench.clock.now() - MINUTE)))
    assert await bench.shown(event)


async def test_a_label_on_one_version_affects_no_other(bench):
    event, speaker = await bench.event(), bench.labeler
    this = "bafyreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy"
    await bench.hear(speaker.label(PARTY_URI, cid=this))
    assert await bench.shown(event)
    async with bench.db.transaction() as tx:
        await tx.execute("update events set record_cid = :cid where id = :id", cid=this, id=event.id)
    assert not await bench.shown(event)
    # A negation without a version applies to all versions.
    await bench.hear(speaker.label(PARTY_URI, at="2026-03-01T10:05:00.000Z", is_negated=True))
    assert await bench.shown(event)


async def test_a_moderators_decision_overrides_a_label(bench):
    event, speaker = await bench.event(), bench.labeler
    await bench.hear(speaker.label(PARTY_URI), speaker.label(DID))
    async with bench.db.transaction() as tx:
        mo = await person(tx, "Mo")
        step = await actions.decide(
            tx, mo.user_id, Subject(ModeratedKind.EVENT, event.id), SubjectVisibility.TRUSTED, "A tea party."
        )
        assert step.before is SubjectVisibility.SHOWN
    assert await bench.shown(event)
    await bench.hear(speaker.label(PARTY_URI, "!takedown"))
    assert await bench.shown(event)
    async with bench.db.transaction() as tx:
        await actions.undo(tx, mo.user_id, step.action_id, "")
        assert await visibility.status_of(tx, event.id) is None
    assert not await bench.shown(event)
    async with bench.db.transaction() as tx:
        step = await actions.decide(tx, mo.user_id, Subject(ModeratedKind.DID, DID), SubjectVisibility.TRUSTED, "")
        (line,) = await tx.fetch("select act, actor_id from moderation_log where id = :id", id=step.action_id)
    assert (line["act"], line["actor_id"]) == (ModerationAction.RELEASE.value, mo.user_id)
    assert await bench.shown(event)


async def test_a_removed_labeler_hides_nothing(bench):
    event, speaker = await bench.event(), bench.labeler
    await bench.hear(speaker.label(PARTY_URI))
    stop = asyncio.Event()
    stop.set()
    await labelers.follow_labelers(bench.labelling, [LABELER], stop)
    assert not await bench.shown(event)
    await labelers.follow_labelers(bench.labelling, [], stop)
    assert await bench.shown(event)
    assert await cursor_of(bench.labelling, LABELER) == -1


async def test_a_removed_labelers_labels_are_deleted_in_batches(bench, monkeypatch):
    """Labels of a removed labeler are deleted in batches, one per transaction. A labeler that is added instead is
    read before the first batch is done.
    """
    event, gone = await bench.event(), "did:web:gone.example"
    others = [
        labels.NetworkLabel(gone, f"did:web:{n}.example", "rude", "", False, bench.clock.now(), None) for n in range(7)
    ]
    async with bench.db.transaction() as tx:
        await labels.add_labeler(tx, gone)
        await labels.advance(tx, gone, 9)
        for one in others:
            await labels.put(tx, one)
    stop, pieces, real = asyncio.Event(), [], labels.forget_some

    async def said(tx, source: str) -> int:
        return len(await tx.fetch("select value from labels where source = :source", source=source))

    async def slowly(tx, did: str) -> bool:
        if not await said(tx, LABELER):
            raise TransactionTooLong("it is long")
        before = await said(tx, gone)
        is_more = await real(tx, did)
        pieces.append(before - await said(tx, gone))
        if not is_more:
            stop.set()
        return is_more

    monkeypatch.setattr(labels, "_AT_ONCE", 3)
    monkeypatch.setattr(labels, "forget_some", slowly)
    bench.labeler.say(bench.labeler.label(PARTY_URI))
    async with asyncio.timeout(TIMEOUT_SECONDS):
        await labelers.follow_labelers(bench.labelling, [LABELER], stop)
    assert pieces == [3, 3, 1]
    assert not await bench.shown(event)
    assert await cursor_of(bench.labelling, gone) == -1


async def test_a_labeler_added_again_is_read_from_the_beginning(bench):
    event, speaker = await bench.event(), bench.labeler
    await bench.hear(speaker.label(PARTY_URI))
    async with bench.db.transaction() as tx:
        assert await labels.drop_others(tx, []) == [LABELER]
    async with bench.db.transaction() as tx:
        await tx.execute("delete from labels")
    await bench.hear()
    assert not await bench.shown(event)


async def test_irrelevant_labels_are_not_stored(bench):
    await bench.hear(bench.labeler.label(f"at://{DID}/app.bsky.feed.post/3l3qo2vutsw2b"))
    async with bench.db.reader() as reader:
        assert await reader.fetch("select * from labels") == []
    assert bench.counted("elsewhere") == 1


async def test_a_new_signing_key_is_resolved(bench):
    """The labeler signs with a new key. Its labels are accepted once its DID document has that key."""
    event, speaker = await bench.event(), bench.labeler
    await bench.hear(speaker.label(DID, "rude"))
    speaker.key = K256PrivateKey.from_random(b"o" * 32)
    bench.clock.turn(HOUR)
    bench.documents[LABELER] = speaker.document
    await bench.hear(speaker.label(PARTY_URI))
    assert not await bench.shown(event)
    assert bench.counted("refused") == 0


async def test_a_labeler_that_rejects_the_cursor_is_not_retried(bench):
    bench.labeler.refusal = frames.encode_error("FutureCursor", "Ahead of every label.")
    await asyncio.wait_for(labelers.follow_labeler(bench.labelling, LABELER, asyncio.Event()), 20)
    async with bench.db.reader() as reader:
        (one,) = await labels.labelers(reader)
    assert (one.state, one.reason) == ("stopped", FirehoseReason.CURSOR_UNKNOWN())


async def labeler_of(bench) -> labels.Labeler | None:
    async with bench.db.reader() as reader:
        return next(iter(await labels.labelers(reader)), None)


async def stands(bench, state: str) -> bool:
    one = await labeler_of(bench)
    return one is not None and one.state == state


async def test_an_unreadable_labeler_is_reported_until_it_recovers(bench):
    """The labeler also recovers if it has nothing new to send afterwards. The time shown is that of the first failure,
    even after later attempts.
    """
    where = bench.documents[LABELER]
    bench.documents[LABELER] = document_of(
        LABELER, format_did_key(bench.labeler.key.public), f"http://127.0.0.1:{free_port()}"
    )
    stop = asyncio.Event()
    failures: asyncio.Queue[float] = asyncio.Queue()

    async def noted(seconds: float) -> None:
        failures.put_nowait(seconds)
        await asyncio.sleep(seconds)

    labelling = replace(bench.labelling, sleep=noted)
    following = asyncio.create_task(labelers.follow_labeler(labelling, LABELER, stop))
    try:

        async def fails() -> bool:
            return await stands(bench, "failing")

        await eventually(fails)
        one = await labeler_of(bench)
        assert explain(one.reason) == "127.0.0.1 can’t be reached."
        bench.clock.turn(HOUR)
        for _ in range(failures.qsize() + 3):
            await failures.get()
        assert (await labeler_of(bench)).changed_at == one.changed_at
        bench.documents[LABELER] = where
        bench.labelling.dids.recheck(LABELER)

        async def is_back() -> bool:
            bench.labelling.dids.recheck(LABELER)
            return await stands(bench, "following")

        await eventually(is_back)
        assert (await labeler_of(bench)).reason is None
    finally:
        stop.set()
        await following


@dataclass
class _Away:
    """A database that refuses its second transaction; the first one registers the labeler."""

    db: Database
    number: int = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.db, name)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        self.number += 1
        if self.number == 2:
            raise DatabaseUnavailable("The database is away.")
        async with self.db.transaction() as tx:
            yield tx


async def test_a_recovery_during_an_outage_of_the_database_is_stored_later(bench):
    """The labeler has nothing new to send, so nothing else would correct its state."""
    async with bench.db.transaction() as tx:
        await labels.add_labeler(tx, LABELER)
        await labels.set_state(tx, LABELER, SourceState.FAILING.value, FailureReason.STREAM_BROKEN())

    async def is_back() -> bool:
        return await stands(bench, "following")

    await heard(replace(bench.labelling, db=_Away(bench.db)), LABELER, is_back)


async def test_labels_of_our_own_server_are_applied(bench, make_sqlite, tmp_path: Path):
    """Aurora Locus applies and negates a label, live, signed with the key in its own DID document."""
    event, port, did = await bench.event(), free_port(), Did("did:plc:aurorauroraaurorauroraau")
    settings = PdsSettings(
        hostname="127.0.0.1",
        port=port,
        public_url=f"http://127.0.0.1:{port}",
        service_did=did,
        data_directory=tmp_path / "pds",
        database_url=await make_sqlite.url("aurora_locus"),
        did_plc_url="http://127.0.0.1:9",
        admin_password=Secret("an administrator's password"),
        dev_mode=True,
    )
    audit = AuditContext(PdsOperator("mo", OperatorRole.MODERATOR), "because")
    async with open_server(settings, bench.clock, version="test", access_log=False) as pds:
        bench.documents[did] = document_of(did, format_did_key(pds.labels.key.public), settings.url)
        serving_it = await serve(pds.app, "127.0.0.1", port)
        try:

            async def is_hidden() -> bool:
                return not await bench.shown(event)

            async def is_back() -> bool:
                return await bench.shown(event)

            await host_labels.put(pds.labels, audit, PARTY_URI, "spam", expires_at=bench.clock.now() + HOUR)
            await heard(bench.labelling, did, is_hidden)
            bench.clock.turn(MINUTE)
            await host_labels.put(pds.labels, audit, PARTY_URI, "spam", negate=True)
            await heard(bench.labelling, did, is_back)
        finally:
            await serving_it.stop()
