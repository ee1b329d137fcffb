"""Commands for operators that show repository reads, with a data folder of their own."""

import asyncio
import json
from pathlib import Path

import pytest
from tests.openmeet.ingestion.network import did, rev
from tests.programs.commands.command_output import output_of, run_command
from tests.programs.platforms import open_platform, read_platform_settings
from tests.simulation.directory import Directory
from tests.simulation.processes import free_port

from groundwork.clock import SystemClock
from openmeet.network.ingestion import quarantine
from openmeet.network.ingestion.quarantine import FailedStep, RecordFailure
from openmeet.network.records.collections import CONCERNING, EVENT

URI = f"at://{did(1)}/{EVENT}/tea"


async def test_quarantined_records_are_listed_with_their_reasons(tmp_path: Path):
    environment = {"OPENMEET_DATA_DIRECTORY": str(tmp_path), "OPENMEET_DEV_MAILBOX": "true"}
    async with open_platform(read_platform_settings(None, environment), SystemClock()) as platform:
        assert output_of(environment, "sync", "quarantined").strip() == "All records were applied."
        for _ in range(2):
            async with platform.db.transaction() as tx:
                failed = [RecordFailure(URI, rev(1), ValueError("no such day"))]
                await quarantine.store_result(tx, did(1), FailedStep.APPLY, CONCERNING, failed)
        assert output_of(environment, "sync", "quarantined").split("\n    ") == [
            URI,
            "ValueError: no such day (apply, 2 times)\n",
        ]
        listed = json.loads(output_of(environment, "sync", "quarantined", "--json"))
        assert listed == [{"uri": URI, "step": "apply", "reason": "ValueError: no such day"}]
        assert "quarantined records  1" in output_of(environment, "sync", "status")


KNOWN, UNKNOWN = did(1), did(2)
COMPARE = "Nothing was enqueued. Compare it with the DID that the account itself shows."


async def said(tmp_path: Path, plc_url: str, *arguments: str) -> tuple[int, str, list[str]]:
    """The exit status, the output (for errors, the part after the program's name), and the DIDs whose read is enqueued."""
    environment = {
        "OPENMEET_DATA_DIRECTORY": str(tmp_path),
        "OPENMEET_DEV_MAILBOX": "true",
        "OPENMEET_DEV_MODE": "true",
        "OPENMEET_ALLOW_PRIVATE_ADDRESSES": "true",
        "OPENMEET_PLC_URL": plc_url,
        "COLUMNS": "400",
    }
    ended = await asyncio.to_thread(run_command, environment, "sync", *arguments)
    settings = read_platform_settings(None, environment)
    async with open_platform(settings, SystemClock()) as platform, platform.db.reader() as reader:
        queued = await reader.fetch("select subject from outbox_jobs where kind = 'backfill' order by subject")
        begun = await reader.fetch("select did from repositories where epoch > 0")
    assert [row["did"] for row in begun] == ([row["subject"] for row in queued] if arguments[0] == "reset" else [])
    return ended.returncode, f"{ended.stdout}{ended.stderr}".strip(), [row["subject"] for row in queued]


@pytest.mark.parametrize("verb", ["read", "reset"])
async def test_unresolvable_did_is_refused_at_once(tmp_path: Path, verb: str):
    async with Directory({KNOWN: {"id": KNOWN}}) as directory:
        status, words, queued = await said(tmp_path, directory.url, verb, UNKNOWN)
        assert (status, queued) == (1, [])
        assert words == f"openmeet sync: There is no identity {UNKNOWN}. {COMPARE}"
        status, words, queued = await said(tmp_path, directory.url, verb, "did:example:nobody")
        assert (status, queued) == (1, [])
        assert words.endswith(COMPARE)
        status, words, queued = await said(tmp_path, directory.url, verb, "nobody")
        assert (status, queued) == (1, [])
        assert "This is not a DID" in words
        status, words, queued = await said(tmp_path, directory.url, verb, KNOWN)
        assert (status, queued) == (0, [KNOWN])
        assert "The publisher will read" in words or "will read it completely" in words


async def test_unresolved_did_is_queued_while_the_directory_is_down(tmp_path: Path):
    """If the directory is down, the request is queued and the command says so; the publisher resolves the DID later."""
    status, words, queued = await said(tmp_path, f"http://127.0.0.1:{free_port()}", "read", KNOWN)
    assert (status, queued) == (0, [KNOWN])
    assert f"Could not check whether {KNOWN} exists" in words


async def test_nothing_is_compared_if_a_did_does_not_exist(tmp_path: Path):
    """Nothing is compared if one of the DIDs does not exist, as for a read. If the directory does not answer, the
    comparison itself reports what it could not read.
    """
    async with Directory({KNOWN: {"id": KNOWN}}) as directory:
        status, words, _ = await said(tmp_path, directory.url, "reconcile", KNOWN, UNKNOWN)
        assert (status, words) == (1, f"openmeet sync: There is no identity {UNKNOWN}. {COMPARE}")
        status, words, _ = await said(tmp_path, directory.url, "reconcile", KNOWN)
        assert status == 0
        assert "0 repositories compared, 0 without a difference\n1 repository not compared" in words
    status, words, _ = await said(tmp_path, f"http://127.0.0.1:{free_port()}", "reconcile", UNKNOWN)
    assert status == 0
    assert f"Could not check whether {UNKNOWN} exists" in words
    assert "Its repository is read anyway." in words
    assert f"{UNKNOWN}  was not read" in words
