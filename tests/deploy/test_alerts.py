"""The alert rules evaluated against a running installation: none fires while everything works, and each fires for its
cause.
"""

import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
import yaml

from at_protocol.syntax.tid import from_microseconds
from groundwork import failed_items
from groundwork.clock import HOUR, SECOND, HandClock
from groundwork.database.deferred import DeferredDatabase
from groundwork.errors import FailureReason, Unavailable
from groundwork.failed_items import FailedItem
from groundwork.queue.contract import Message
from groundwork.telemetry.metrics import Metrics
from groundwork.telemetry.probes import Probe, Probes
from openmeet.domain.moderation import labels
from openmeet.network.firehose import cursors
from openmeet.network.ingestion import discrepancies, processor, quarantine
from openmeet.network.ingestion.discrepancies import Discrepancy, RecordDiscrepancy
from openmeet.network.ingestion.processor import POLICY, Processor, ingestion_metrics
from openmeet.network.ingestion.quarantine import FailedStep, RecordFailure
from openmeet.network.records.collections import CONCERNING
from openmeet.network.records.message import encode
from openmeet.network.records.metrics import SyncResult
from openmeet.settings import Settings
from openmeet.tenants.configured import checked
from openmeet.tenants.names import DEFAULT_TENANT
from openmeet.web.site.chat_stream_feed import ChatStreamFeed
from openmeet.web.site.page_streams import PageStreams
from programs import gauges
from programs.gauges import ProgramGauges
from programs.platform import Platform
from programs.web import show_streams
from tests.deploy.promql import Scrape, evaluate, scrape
from tests.external_dependencies import ROOT, needs
from tests.openmeet.ingestion.network import did, event, rev
from tests.programs.platforms import open_platform

RULES = {
    rule["alert"]: rule
    for group in yaml.safe_load((ROOT / "deploy/prometheus/alerts.yml").read_text())["groups"]
    for rule in group["rules"]
}
MINUTES = 60


@dataclass
class Installation:
    """A running platform, the scrapes of its metrics, and helpers that cause failures."""

    platform: Platform
    clock: HandClock
    gauges: ProgramGauges
    processor: Processor
    scrapes: list[Scrape] = field(default_factory=list)
    pds: Metrics = field(default_factory=lambda: Metrics("aurora_locus"))

    async def scrape(self) -> None:
        await gauges.show(self.platform, self.gauges)
        of_pds = [line for line in self.pds.exposition().splitlines(keepends=True) if b"aurora_locus_" in line]
        exposed = self.platform.metrics.exposition() + b"".join(of_pds)
        self.scrapes.append(scrape(self.clock.now() / SECOND, exposed))

    def firing(self) -> set[str]:
        return {name for name, rule in RULES.items() if evaluate(rule["expr"], self.scrapes)}

    async def ingest(self, count: int, *, age_seconds: int = 1) -> None:
        """Send that many events through the queue and the worker. Each comes from a commit of the given age."""
        at = self.clock.now() - age_seconds * SECOND
        messages = [_committed_at(at + number, number) for number in range(count)]
        await self.platform.queue.publish(messages)
        while await processor.run_once(self.processor):
            pass

    async def do(self, sql: str, **values: object) -> None:
        async with self.platform.db.transaction() as tx:
            await tx.execute(sql, **values)


def _committed_at(at: int, number: int) -> Message:
    message = replace(event(number % 16, f"tea{at}", 1), rev=from_microseconds(at, 1))
    return Message(message.routing_key, message.did, encode(message), message.message_id)


@pytest.fixture
async def installation(tmp_path: Path, clock: HandClock) -> AsyncIterator[Installation]:
    settings = replace(Settings(), data_directory=tmp_path, dev_mailbox=True, dev_mode=True)
    checked({DEFAULT_TENANT: settings})
    async with open_platform(settings, clock) as platform:
        counts = ingestion_metrics(platform.metrics, platform.results)
        one = Processor(platform.db, platform.queue, platform.ingestion_context, counts, clock)
        found = Installation(platform, clock, gauges.register_gauges(platform.metrics), one)
        await found.ingest(3)
        await found.scrape()
        clock.turn(5 * MINUTES * SECOND)
        yield found


async def _fail(here: Installation) -> None:
    await here.ingest(3)
    for _ in range(2):
        here.platform.results.labels("publish", "rsvp", SyncResult.FAILED.value).inc()


async def _retry(here: Installation) -> None:
    """Let the database fail while the worker uses it, so that the message is retried several times."""
    await here.do("alter table records rename to records_away")
    await here.platform.queue.publish([_committed_at(here.clock.now(), 1)])
    for _ in range(POLICY.unforeseen_tries - 1):
        await processor.run_once(here.processor)
        here.clock.turn(6 * SECOND)
    await here.do("alter table records_away rename to records")


async def _be_late(here: Installation) -> None:
    await here.ingest(20, age_seconds=600)


async def _bury(here: Installation) -> None:
    await here.platform.queue.publish([Message("event.create", did(1), b"\xffnonsense", "x")])
    await processor.run_once(here.processor)
    # A single failed message among a hundred must not count as a rate.
    await here.ingest(100)


async def _pile_up(here: Installation) -> None:
    await here.platform.queue.publish([Message("event.create", did(1), b"", f"{n}") for n in range(10_001)])


async def _disagree(here: Installation) -> None:
    async with here.platform.db.transaction() as tx:
        await discrepancies.note(tx, did(1), [], [RecordDiscrepancy(f"at://{did(1)}/e/1", Discrepancy.ROW_MISSING)])


async def _quarantine(here: Installation) -> None:
    failed = RecordFailure(f"at://{did(1)}/community.lexicon.calendar.event/1", rev(1), ValueError("no"))
    async with here.platform.db.transaction() as tx:
        await quarantine.store_result(tx, did(1), FailedStep.APPLY, CONCERNING, [failed])


async def _fail_an_item(here: Installation) -> None:
    failed = FailedItem(failed_items.REPEATED, here.clock.now())
    async with here.platform.db.transaction() as tx:
        await failed_items.put(tx, "scheduled_events", "a", failed, reason="Unavailable")


PUBLICATION = """
    insert into publications (kind, subject_id, user_id, state, revision, due_at, edited_at, changed_at)
    select 'event', :id, id, :state, 1, :due_at, :due_at, :due_at from users order by id limit 1
"""


async def _owe_a_record(here: Installation) -> None:
    await here.do(PUBLICATION, id="a", state="due", due_at=here.clock.now() - HOUR)


async def _conflict(here: Installation) -> None:
    await here.do(PUBLICATION, id="a", state="conflicted", due_at=here.clock.now())


async def _give_up(here: Installation) -> None:
    await here.do(
        """
        insert into outbox_jobs (kind, subject, revision, state, due_at, attempts, partition, priority, reason_code,
            reason_params, lease, enqueued_at)
        values ('mail', 'x', 1, 'failed', :now, 5, '', 2, 'Refused', '', 0, :now)
        """,
        now=here.clock.now(),
    )


async def _hold_up_a_room(here: Installation) -> None:
    await here.do(
        """
        insert into outbox_jobs (kind, subject, revision, state, due_at, attempts, partition, priority, reason_code,
            reason_params, lease, enqueued_at)
        values ('matrix_room', 'x', 1, 'due', :due, 0, '', 2, '', '', 0, :due)
        """,
        due=here.clock.now() - HOUR,
    )


async def _lose_the_homeserver(here: Installation) -> None:
    read_at = here.platform.metrics.gauge("matrix_read_timestamp_seconds", "When it answered last", ["tenant"])
    read_at.labels("default").set(here.clock.now() / SECOND - 10 * MINUTES)


async def _follow_chats(here: Installation) -> None:
    live = ChatStreamFeed()
    show_streams(here.platform, live, PageStreams())
    for number in range(here.platform.settings.live_streams - 1):
        live.slots.take(str(number), here.platform.settings.live_streams)


async def _fall_silent(here: Installation) -> None:
    async with here.platform.installation.transaction() as tx:
        await cursors.add_source(tx, "wss://pds.example", cursor=0)
        await cursors.advance(tx, "wss://pds.example", 5, {}, [])
    here.clock.turn(2 * HOUR)
    here.scrapes.clear()
    await here.scrape()
    here.clock.turn(5 * MINUTES * SECOND)


async def _lose_the_database(here: Installation) -> None:
    here.platform = replace(here.platform, tenant=replace(here.platform.tenant, database=DeferredDatabase("sqlite")))


async def _lose_a_labeler(here: Installation) -> None:
    async with here.platform.db.transaction() as tx:
        await labels.add_labeler(tx, "did:web:l.example")
        await labels.set_state(tx, "did:web:l.example", "failing", FailureReason.STREAM_BROKEN())
    here.clock.turn(20 * MINUTES * SECOND)
    here.scrapes.clear()
    await here.scrape()
    here.clock.turn(5 * MINUTES * SECOND)


async def _probe_fails(metrics: Metrics) -> None:
    async def full() -> None:
        raise Unavailable("the disk is full")

    async def fine() -> None: ...

    await Probes({"writes": Probe(full), "queue": Probe(fine)}, metrics).try_all()


async def _fail_a_probe(here: Installation) -> None:
    await _probe_fails(here.platform.metrics)


async def _fail_a_probe_of_the_pds(here: Installation) -> None:
    await _probe_fails(here.pds)


SPOILED: dict[str, Callable[[Installation], Awaitable[None]]] = {
    "SynchronisationFails": _fail,
    "SynchronisationRetries": _retry,
    "ChangesArriveLate": _be_late,
    "DeadLetters": _bury,
    "QueueGrows": _pile_up,
    "Discrepancies": _disagree,
    "RecordsPutAside": _quarantine,
    "ScheduledItemsFailing": _fail_an_item,
    "RecordsOverdue": _owe_a_record,
    "RecordsConflict": _conflict,
    "JobsFailed": _give_up,
    "LiveStreamsFull": _follow_chats,
    "MatrixDelayed": _hold_up_a_room,
    "MatrixNotRead": _lose_the_homeserver,
    "SourceQuiet": _fall_silent,
    "LabelerUnread": _lose_a_labeler,
    "DatabaseAway": _lose_the_database,
    "ProbeFails": _fail_a_probe,
    "PdsProbeFails": _fail_a_probe_of_the_pds,
}


def test_every_rule_says_what_to_do():
    assert set(RULES) == set(SPOILED)
    assert len(RULES) >= 10
    for rule in RULES.values():
        assert rule["labels"]["severity"] in {"page", "ticket"}
        assert rule["annotations"]["summary"].endswith(".")
        assert rule["annotations"]["description"].endswith(".")


@needs("promtool")
@pytest.mark.parametrize("file", ["alerts.yml"])
def test_prometheus_itself_reads_the_rules(file: str):
    """promtool accepts the rules. Our own evaluator supports only a part of the language."""
    path = ROOT / "deploy/prometheus" / file
    found = subprocess.run(
        ["promtool", "check", "rules", "--lint=all", "--lint-fatal", str(path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 0, found.stdout + found.stderr
    assert f"{len(RULES)} rules found" in found.stdout


@needs("promtool")
def test_prometheus_itself_reads_the_configuration():
    """promtool accepts the configuration together with its rule files."""
    found = subprocess.run(
        ["promtool", "check", "config", "--lint=all", "--lint-fatal", str(ROOT / "deploy/prometheus/prometheus.yml")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 0, found.stdout + found.stderr
    assert f"{len(RULES)} rules found" in found.stdout
    assert "prometheus.yml is valid prometheus config file syntax" in found.stdout


async def test_no_alert_fires_without_a_failure(installation: Installation):
    """No alert fires while records come in and nothing waits for long."""
    await installation.ingest(20)
    await installation.scrape()
    assert installation.firing() == set()


@pytest.mark.parametrize("name", SPOILED)
async def test_each_rule_fires_for_its_reason_alone(installation: Installation, name: str):
    await SPOILED[name](installation)
    await installation.scrape()
    assert installation.firing() == {name}


@pytest.mark.parametrize("expression", ["up == 0", "avg(x) > 1", "x > 1 or y > 1", "rate(x[5m]) >"])
def test_unknown_syntax_is_an_error(expression: str):
    """Unknown syntax is an error, so that a rule cannot pass because it was not understood."""
    with pytest.raises((SyntaxError, ValueError, IndexError)):
        evaluate(expression, [scrape(0.0, b"x 2\n"), scrape(60.0, b"x 3\n")])
