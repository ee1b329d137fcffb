"""``openmeet firehose-consumer``: from the event streams of PDSes and relays into the queues of the tenants, read and verified
once; and from labellers into the databases of those who chose them.
"""

import asyncio

from at_network.jetstream_stream import unpacker
from at_protocol.sync.verify import FULL, LIGHT
from openmeet.firehose import audience, consumer
from openmeet.firehose.consumer import Consumer
from openmeet.firehose.counting import counting
from openmeet.firehose.delivery import Delivering
from openmeet.firehose.jetstream import follow_jetstream
from openmeet.firehose.labellers import Labelling, counter_of, follow_labellers
from openmeet.firehose.upstreams import upstreams
from openmeet.firehose.verification import Verifier
from programs.platform import Installation
from programs.worker import worker_role


async def work(installation: Installation, stop: asyncio.Event) -> None:
    """Follow every configured source, and the labellers of every community, until ``stop`` is set."""
    platform = installation.default
    known = await audience.seat(platform.installation, [one.tenant for one in installation.platforms])
    counts = counting(platform.metrics)
    following = Consumer(
        db=platform.installation,
        http=platform.network.http,
        clock=platform.clock,
        verifier=Verifier(platform.network.dids, platform.clock),
        interests=known,
        delivering=Delivering({one.tenant.name: one.queue for one in installation.platforms}, counts),
        counting=counts,
    )
    settings = platform.settings
    sources = upstreams(
        settings.firehose_urls,
        settings.relay_urls,
        relays_from_the_start=settings.relays_from_the_start,
        relay_care=LIGHT if settings.relay_checks == "light" else FULL,
    )
    dictionary = settings.jetstream_dictionary
    unpack = None if dictionary is None else unpacker(dictionary)
    labels = counter_of(platform.metrics)
    await asyncio.gather(
        *(
            follow_labellers(
                Labelling(one.db, one.network.http, one.clock, one.network.dids, labels), one.settings.labellers, stop
            )
            for one in installation.platforms
        ),
        consumer.run(following, list(sources), stop),
        *(follow_jetstream(following, url, stop, unpack=unpack) for url in settings.jetstream_urls),
    )


app = worker_role(work, "Follow the sources until stopped.")
