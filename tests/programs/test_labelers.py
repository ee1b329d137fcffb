"""The consumer as the program runs it: each community reads the labelers that it chose."""

import asyncio
from pathlib import Path

from tests.openmeet.firehose.labeler import Labeler, serving
from tests.simulation.directory import Directory
from tests.timeouts import TIMEOUT_SECONDS

from at_protocol.syntax.did import Did
from groundwork.clock import HandClock
from openmeet.tenants.configured import checked, read_tenants
from programs import firehose_consumer
from programs.platform import Platform, open_installation

LABELER = Did("did:plc:llllllllllllllllllllllll")
DID = "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa"


async def labels_of(platform: Platform) -> list[tuple[str, str]]:
    async with platform.db.reader() as reader:
        return [(row["subject"], row["value"]) for row in await reader.fetch("select subject, value from labels")]


async def test_one_community_chose_a_labeler_and_the_other_did_not(tmp_path: Path, clock: HandClock) -> None:
    documents: dict[str, dict[str, object]] = {}
    async with Directory(documents) as directory, serving(Labeler(LABELER)) as labeler:
        documents[LABELER] = labeler.document
        labeler.say(labeler.label(DID))
        village = {"name": "village", "public_url": "http://village.example", "labelers": [str(LABELER)]}
        base = {
            "data_directory": str(tmp_path),
            "dev_mailbox": True,
            "dev_mode": True,
            "allow_private_addresses": True,
            "plc_url": directory.url,
        }
        settings = checked(read_tenants({**base, "tenants": [village]}, {}))
        async with open_installation(settings, clock) as installation:
            deployment, chooser = installation.platforms
            stop = asyncio.Event()
            working = asyncio.create_task(firehose_consumer.work(installation, stop))
            try:
                async with asyncio.timeout(TIMEOUT_SECONDS):
                    while not await labels_of(chooser):  # noqa: ASYNC110 - it comes in a database, which rings no bell
                        await asyncio.sleep(0.02)
            finally:
                stop.set()
                await working
            assert await labels_of(chooser) == [(DID, "spam")]
            assert await labels_of(deployment) == []
