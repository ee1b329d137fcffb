"""Events that a server dropped before our cursor: affected repositories are scheduled for reading before the cursor
advances.
"""

import asyncio

from at_protocol.sync.events import InfoMessage
from at_protocol.sync.events import encode as encode_frame
from openmeet.network.firehose import cursors
from openmeet.network.firehose.consumer import follow_source
from openmeet.network.firehose.repo_stream import MAX_JUMP
from openmeet.network.records.message import Hint, HintKind, decode
from tests.external_dependencies import needs
from tests.openmeet.firehose.conftest import Bench, captured_documents, captured_frames, sequences
from tests.openmeet.firehose.frames import account_frame, captured_dids
from tests.simulation.relay import Relay
from tests.timeouts import TIMEOUT_SECONDS

pytestmark = needs("fixtures")

OUTDATED = encode_frame(InfoMessage("OutdatedCursor", "Requested cursor exceeded limit."))
ELSEWHERE = "did:plc:ewvi7nxzyoun6zhxrhs64oiz"


class Forgetful(Relay):
    """A relay that answers every cursor with the notice that it is outdated."""

    def __init__(self, frames: list[bytes], numbers: list[int]) -> None:
        super().__init__([OUTDATED, *frames], [2**52, *numbers])


async def read_to(bench: Bench, url: str, cursor: int, sender: str | None) -> None:
    stop = asyncio.Event()
    following = asyncio.create_task(follow_source(bench.consumer, url, stop, sender=sender))
    async with asyncio.timeout(TIMEOUT_SECONDS):
        while True:
            async with bench.db.reader() as reader:
                if any(one.url == url and one.cursor == cursor for one in await cursors.sources(reader)):
                    break
            await asyncio.sleep(0.01)
    stop.set()
    await following


async def queued(bench: Bench) -> list[str]:
    """Repositories queued for reading without a minimum rev."""
    found: list[str] = []
    while deliveries := await bench.queue.lease(1000, 60):
        messages = [decode(delivery.message.body) for delivery in deliveries]
        found += [
            one.did for one in messages if isinstance(one, Hint) and one.kind is HintKind.REPOSITORY and one.rev is None
        ]
        await bench.queue.ack(deliveries)
    return sorted(found)


async def heard_before(bench: Bench, url: str, seq: int, *dids: str) -> None:
    """Store repositories as seen through this source up to this number, and one as seen through another source."""
    question = """
        insert into verified_repositories (did, rev, data, is_active, status, source, updated_at)
        values (:did, '3l3qo2vutsw2b', 'bafyreie5cvv4h45feadgeuwhbcutmh6t2ceseocckahdoe6uat64zmz454', 1, '', :source, 1)
    """
    async with bench.db.transaction() as tx:
        await cursors.add_source(tx, url, cursor=seq)
        for did in dids:
            await tx.execute(question, did=did, source=url)
        await tx.execute(question, did=ELSEWHERE, source="wss://another.example")
    bench.consumer.interests.followed.update([*dids, ELSEWHERE])


async def test_a_gap_at_a_pds_enqueues_reads_of_its_repositories(bench: Bench):
    """Repositories seen through another source have no gap."""
    first, second = list(captured_documents())[:2]
    bench.interested_in(("collection", "community.lexicon.calendar.event"))
    async with Forgetful([account_frame(50)], [50]) as pds:
        await heard_before(bench, pds.url, 10, first, second)
        await read_to(bench, pds.url, 50, sender="pds.example:443")
    assert await queued(bench) == sorted([first, second])


async def test_a_gap_at_a_relay_enqueues_reads_of_everybody_followed(bench: Bench):
    first, second = list(captured_documents())[:2]
    bench.interested_in(("collection", "community.lexicon.calendar.event"))
    async with Forgetful([account_frame(50)], [50]) as relay:
        await heard_before(bench, relay.url, 10, first, second)
        await read_to(bench, relay.url, 50, sender=None)
    assert await queued(bench) == sorted([first, second, ELSEWHERE])


async def test_a_source_that_was_never_read_enqueues_nothing(bench: Bench):
    """Reading from the beginning starts with the oldest event that the server still has, so nothing was missed."""
    frames = captured_frames()[:5]
    bench.interested_in(("collection", "community.lexicon.calendar.event"))
    async with Forgetful(frames, sequences(frames)) as relay:
        await heard_before(bench, "wss://one.example", 10, next(iter(captured_documents())))
        await read_to(bench, relay.url, sequences(frames)[-1], sender=None)
    assert await queued(bench) == []


async def test_an_accepted_jump_enqueues_reads(bench: Bench):
    """Frames skipped by the jump are lost, like frames that an outdated-cursor notice reports."""
    far = MAX_JUMP * 5
    bench.interested_in(*captured_dids())
    async with Relay([account_frame(1), account_frame(far)], [1, far]) as relay:
        await read_to(bench, relay.url, far, sender=None)
        assert relay.connections == 2
    assert await queued(bench) == sorted(captured_documents())
