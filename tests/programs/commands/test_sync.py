"""What the operator is told of readings, by commands on a folder of their own."""

import json
from pathlib import Path

from tests.openmeet.ingestion.network import did, rev
from tests.programs.commands.test_debts import run

from groundwork.clock import SystemClock
from openmeet.ingestion import put_aside
from openmeet.ingestion.put_aside import Failed, Step
from openmeet.records.collections import CONCERNING, EVENT
from programs.platform import open_platform
from programs.platform_settings import read_platform_settings

URI = f"at://{did(1)}/{EVENT}/tea"


async def test_records_put_aside_are_listed_with_their_reasons(tmp_path: Path):
    environment = {"OPENMEET_DATA_DIRECTORY": str(tmp_path), "OPENMEET_DEV_MAILBOX": "true"}
    async with open_platform(read_platform_settings(None, environment), SystemClock()) as platform:
        assert run(environment, "sync", "put-aside").strip() == "Every record that was read was taken over."
        for _ in range(2):
            async with platform.db.transaction() as tx:
                failed = [Failed(URI, rev(1), ValueError("no such day"))]
                await put_aside.settle(tx, did(1), Step.TAKING, CONCERNING, failed)
        assert run(environment, "sync", "put-aside").split("\n    ") == [
            URI,
            "ValueError: no such day (taking, 2 times)\n",
        ]
        listed = json.loads(run(environment, "sync", "put-aside", "--json"))
        assert listed == [{"uri": URI, "step": "taking", "reason": "ValueError: no such day"}]
        assert "records put aside  1" in run(environment, "sync", "status")
