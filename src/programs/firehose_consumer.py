"""``openmeet firehose-consumer``: read and verify the event streams of PDSes and relays once, and put them into the
queues of the tenants.

Also reads labels of labelers into the databases of the communities that chose them.
"""

import asyncio
import contextlib

from prometheus_client import Counter

from at_network.jetstream_stream import unpacker
from at_protocol.sync.verify import FULL, LIGHT
from groundwork.database.deferred import until_opened
from groundwork.errors import Unavailable
from groundwork.task_group import run_concurrently
from groundwork.telemetry.logs import log
from openmeet.network.firehose import consumer, cursors, delivery
from openmeet.network.firehose.delivery import TenantQueues
from openmeet.network.firehose.following import Consumer
from openmeet.network.firehose.jetstream import follow_jetstream
from openmeet.network.firehose.labelers import LabelerContext, counter_of, follow_labelers
from openmeet.network.firehose.metrics import firehose_metrics
from openmeet.network.firehose.tenant_interests import Interests, run_expiry
from openmeet.network.firehose.upstreams import upstreams
from openmeet.network.firehose.verification import Verifier
from programs.platform import Installation, Platform

_AGAIN_SECONDS = 5.0


async def work(installation: Installation, stop: asyncio.Event) -> None:
    """Follow every configured source, and the labelers of every community, until ``stop`` is set."""
    platform = installation.default
    # A community whose queue was unavailable counts as new when it comes back: a backfill replaces the messages that it
    # missed.
    keeping = [one.tenant for one in installation.platforms if one.keeps_messages]
    interests = await delivery.ensure_default_interests(platform.installation, keeping)
    counts = firehose_metrics(platform.metrics)
    following = Consumer(
        db=platform.installation,
        http=platform.network.http,
        clock=platform.clock,
        verifier=Verifier(platform.network.dids, platform.clock),
        interests=interests,
        tenant_queues=TenantQueues({one.tenant.name: one.queue for one in installation.platforms}, counts),
        metrics=counts,
    )
    settings = platform.settings
    sources = list(
        upstreams(
            settings.firehose_urls,
            settings.relay_urls,
            relays_from_the_start=settings.relays_from_the_start,
            relay_verification=LIGHT if settings.relay_checks == "light" else FULL,
        )
    )
    async with platform.installation.transaction() as tx:
        await cursors.keep_sources(tx, [*(one.url for one in sources), *settings.jetstream_urls])
    dictionary = settings.jetstream_dictionary
    unpack = None if dictionary is None else unpacker(dictionary)
    labels = counter_of(platform.metrics)
    async with run_concurrently() as group:
        for one in installation.platforms:
            group.create_task(_run_community(installation, one, interests, labels, stop))
        group.create_task(consumer.run(following, sources, stop))
        group.create_task(
            run_expiry(platform.installation, [one.db for one in installation.platforms], interests, stop)
        )
        for url in settings.jetstream_urls:
            group.create_task(follow_jetstream(following, url, stop, unpack=unpack))


async def _run_community(
    installation: Installation, platform: Platform, interests: Interests, labels: Counter, stop: asyncio.Event
) -> None:
    """The work that needs a community's own database, started once that is open: its subscription and its labelers."""
    is_new = platform.tenant.name not in interests.tenants_with_all_records
    labelling = LabelerContext(platform.db, platform.network.http, platform.clock, platform.network.dids, labels)
    while await until_opened(platform.db, stop):
        try:
            if is_new:
                await delivery.ensure_default_interests_late(
                    installation.default.installation, platform.tenant, interests
                )
                is_new = False
            await follow_labelers(labelling, platform.settings.labelers, stop)
        except Unavailable as away:
            # An error of one community must not stop the shared stream.
            log.warning("labelers.postponed", tenant=platform.tenant.name, reason=away.why)
        else:
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_AGAIN_SECONDS):
                await stop.wait()
