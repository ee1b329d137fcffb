"""The shared and the separate parts of the communities of an installation, as the programs open it."""

import asyncio
import base64
import hashlib
import hmac
import secrets
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.external_dependencies import needs
from tests.groundwork.queue.conftest import BROKER
from tests.system.tour.polling import eventually
from yarl import URL

from groundwork.clock import DAY, HandClock
from groundwork.queue.contract import Message
from groundwork.queue.rabbitmq import RabbitQueue
from groundwork.sealing import CannotUnseal
from groundwork.settings import Secret
from groundwork.signing_key import SigningKey
from openmeet.network.firehose import cursors
from openmeet.network.repositories import session_sealing
from openmeet.settings import Settings
from openmeet.tenants.configured import checked, read_tenants
from programs import gauges, outbox_dispatcher, scheduler, shared_resources
from programs.community_queues import open_queue_alone
from programs.platform import Installation, Platform, mailbox_folder, open_installation
from programs.worker import for_each

KEY = bytes(range(32))
DID = "did:plc:ewvi7nxzyoun6zhxrhs64oiz"


def settings_of(folder: Path, **changes: object) -> dict[str, Settings]:
    """The settings of the deployment and the village, below one folder."""
    base = {"data_directory": str(folder), "dev_mailbox": True, "dev_mode": True, **changes}
    village = {"name": "village", "public_url": "http://village.example", "site_name": "The village"}
    return read_tenants({**base, "tenants": [village]}, {})


@pytest.fixture
async def installation(tmp_path: Path, clock: HandClock) -> AsyncIterator[Installation]:
    found = checked({name: replace(one, sealing_keys=_key()) for name, one in settings_of(tmp_path).items()})
    async with open_installation(found, clock) as installation:
        yield installation


def _key() -> Secret:
    return Secret("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8")


def two(installation: Installation) -> tuple[Platform, Platform]:
    deployment, village = installation.platforms
    return deployment, village


async def test_keys_are_derived_per_community_and_the_default_ones_stay(installation: Installation) -> None:
    """Keys are derived for each community. The default community keeps the codes and erasure keys that it had before
    there was a second one.
    """
    deployment, village = two(installation)
    assert deployment.code_key == SigningKey(hmac.digest(KEY, b"openmeet/sign_in/codes", hashlib.sha256))
    assert deployment.ingestion_context.erasure_keys == (hmac.digest(KEY, b"openmeet/records/erased", hashlib.sha256),)
    assert village.code_key != deployment.code_key
    assert village.ingestion_context.erasure_keys != deployment.ingestion_context.erasure_keys


async def test_tokens_of_the_previous_key_stay_valid(tmp_path: Path, clock: HandClock) -> None:
    """After a new key is put in front, as the operators' handbook says, it makes new tokens, and tokens of the previous
    key stay valid.
    """
    newer = base64.urlsafe_b64encode(b"n" * 32).decode().rstrip("=")
    keys = Secret(f"{newer},{_key().reveal()}")
    found = checked({name: replace(one, sealing_keys=keys) for name, one in settings_of(tmp_path).items()})
    async with open_installation(found, clock) as installation:
        for one, label in zip(installation.platforms, ("", "/village"), strict=True):
            derived = [
                hmac.digest(key, f"openmeet/sign_in/codes{label}".encode(), hashlib.sha256) for key in (b"n" * 32, KEY)
            ]
            assert (one.code_key.newest, one.code_key.before) == (derived[0], (derived[1],))


async def test_community_without_a_key_removes_no_other_key(tmp_path: Path) -> None:
    """A community without a key for the PDS does not remove the default site's key, even if it names the installation's
    PDS itself.
    """
    url = "https://pds.example"
    deployment, village = settings_of(tmp_path).values()
    deployment = replace(deployment, pds_url=url, pds_rate_limit_bypass_key=Secret("a-key"))
    for own, sent in (("", "a-key"), ("another", "another")):
        village = replace(village, pds_url=url, pds_rate_limit_bypass_key=Secret(own))
        assert shared_resources.rate_limit_exemptions({"default": deployment, "village": village}) == {
            url: {"x-ratelimit-bypass": sent}
        }


async def test_sealed_value_can_be_opened_only_by_its_community(installation: Installation) -> None:
    deployment, village = two(installation)
    purposes = [session_sealing.purpose_of(one.network.tenant, DID) for one in (deployment, village)]
    sealed = deployment.network.sealer.seal(b"tokens", purposes[0])
    assert deployment.network.sealer.unseal(sealed, purposes[0]) == b"tokens"
    with pytest.raises(CannotUnseal):
        village.network.sealer.unseal(sealed, purposes[1])


async def test_communities_share_no_stored_data(installation: Installation, tmp_path: Path) -> None:
    """Each community has a queue, a cache and flags of its own. They share the HTTP client, the metrics registry and
    the count per address.
    """
    deployment, village = two(installation)
    await deployment.network.cache.put("a name", b"a value", ttl_seconds=60)
    assert await village.network.cache.get("a name") is None
    await village.queue.publish([Message("event.create", DID, b"", "1")])
    assert ((await deployment.queue.depth()).waiting, (await village.queue.depth()).waiting) == (0, 1)
    assert deployment.tenant.flags is not village.tenant.flags
    assert deployment.network.http is village.network.http
    assert deployment.network.dids is village.network.dids
    assert deployment.network.workers is village.network.workers
    assert deployment.metrics is village.metrics
    assert deployment.counters is village.counters
    for one in installation.platforms:
        async with one.pictures.upload() as upload:
            await upload.keep("there")
    for name in ("openmeet.db", "queue.db", "media/there"):
        assert (tmp_path / "tenants" / "village" / name).exists()
        assert (tmp_path / name).exists()
    assert [mailbox_folder(one.settings).parent for one in (deployment, village)] == [
        tmp_path,
        tmp_path / "tenants/village",
    ]
    assert not (tmp_path / "tenants" / "village" / "network.db").exists()


async def test_removed_source_raises_no_alert(installation: Installation) -> None:
    """A removed source raises no alert. Otherwise a process that had measured it would report an ever longer silence."""
    deployment, _ = two(installation)
    found = gauges.register_gauges(deployment.metrics)
    for urls in (["wss://one.example", "wss://other.example"], ["wss://other.example"]):
        async with deployment.installation.transaction() as tx:
            await cursors.keep_sources(tx, urls)
            for url in urls:
                await cursors.add_source(tx, url)
        await gauges.read(deployment, found)
        (quiet,) = found.quiet.collect()
        assert [sample.labels["source"] for sample in quiet.samples] == urls


async def test_gauges_are_labelled_by_community(installation: Installation) -> None:
    deployment, village = two(installation)
    await village.queue.publish([Message("event.create", DID, b"", "1")])
    found = gauges.register_gauges(deployment.metrics)
    for one in installation.platforms:
        await gauges.read(one, found)
    shown = deployment.metrics.exposition().decode()
    assert 'openmeet_queue_waiting_messages{tenant="default"} 0.0' in shown
    assert 'openmeet_queue_waiting_messages{tenant="village"} 1.0' in shown


async def test_answers_written_are_counted_by_community(installation: Installation) -> None:
    for one in installation.platforms:
        outbox_dispatcher.publishing_dependencies(one).count_rsvp("create", "going")
    shown = installation.default.metrics.exposition().decode()
    for name in ("default", "village"):
        assert f'bluesky_rsvp_operations_total{{operation="create",status="going",tenant="{name}"}} 1.0' in shown


PAID_LONG_AGO = """
    insert into outbox_jobs (kind, subject, revision, state, due_at, attempts, partition, priority, reason_code,
        reason_params, lease, enqueued_at)
    values ('mail', 'x', 1, 'completed', :then, 1, '', 2, '', '', 0, :then)
"""


async def test_periodic_jobs_run_for_every_community(installation: Installation, clock: HandClock) -> None:
    """One scheduler runs the periodic jobs of every community: old data is deleted in each."""
    for one in installation.platforms:
        async with one.db.transaction() as tx:
            await tx.execute(PAID_LONG_AGO, then=clock.now() - 40 * DAY)
    stop = asyncio.Event()
    working = asyncio.create_task(for_each(scheduler.work)(installation, stop))

    async def forgotten() -> bool:
        kept = 0
        for one in installation.platforms:
            async with one.db.reader() as reader:
                kept += len(await reader.fetch("select kind from outbox_jobs where subject = 'x'"))
        return kept == 0

    await eventually(forgotten, timeout_seconds=20)
    stop.set()
    await working


@needs("rabbitmq")
async def test_communities_have_separate_queues_on_one_broker(tmp_path: Path, clock: HandClock) -> None:
    name = f"t_{secrets.token_hex(4)}"
    found = settings_of(tmp_path, broker_url=BROKER, broker_name=name)
    queues = {tenant: await open_queue_alone(tenant, one, clock) for tenant, one in found.items()}
    try:
        await queues["village"].publish([Message("event.create", DID, b"", "1")])
        assert {tenant: (await one.depth()).waiting for tenant, one in queues.items()} == {"default": 0, "village": 1}
    finally:
        for one in queues.values():
            assert isinstance(one, RabbitQueue)
            await one.delete()
            await one.close()


@pytest.mark.parametrize(
    ("path", "headers", "is_proof"),
    [
        ("/xrpc/com.atproto.server.createSession", {}, True),
        ("/xrpc/com.atproto.server.deleteAccount", {}, True),
        ("/xrpc/com.atproto.server.resetPassword", {}, True),
        ("/xrpc/com.atproto.server.createInviteCode", {"Authorization": "basic YWRtaW46eA=="}, True),
        ("/xrpc/com.atproto.repo.createRecord", {"Authorization": "Bearer x"}, False),
        ("/xrpc/com.atproto.sync.getRepo", {}, False),
    ],
)
def test_the_key_is_not_sent_with_a_password(path: str, headers: dict[str, str], *, is_proof: bool) -> None:
    assert shared_resources.proves_password(URL(f"https://pds.example{path}"), headers) is is_proof
