"""An operator switches parts of the synchronization on and off while everything runs."""

import json
import subprocess
from pathlib import Path

from tests.fork_server import FORK_SERVER
from tests.programs.platforms import open_platform, read_platform_settings

from at_protocol.syntax.did import parse_did
from groundwork.clock import SystemClock
from openmeet.domain.identities import actions as identities
from openmeet.feature_flags.flags import DEFAULTS
from openmeet.outbox.kinds import JobKind


def openmeet(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return FORK_SERVER.run("flags", *arguments, environment=environment)


async def test_flag_is_switched_off_and_on_and_shows_who_did_it(tmp_path: Path):
    """A flag is switched off and on, and shows who did it. Switching ingestion on enqueues a read of every known
    repository.
    """
    environment = {"OPENMEET_DATA_DIRECTORY": str(tmp_path), "OPENMEET_DEV_MAILBOX": "true"}
    did = parse_did("did:plc:" + "a" * 24)
    async with open_platform(read_platform_settings(None, environment), SystemClock()) as platform:
        async with platform.db.transaction() as tx:
            await identities.person_for_did(tx, did)
        assert json.loads(openmeet(environment, "list", "--json").stdout) == {
            flag.value: is_on for flag, is_on in DEFAULTS.items()
        }
        done = openmeet(environment, "off", "events-in", "--why", "spam from everywhere")
        assert done.stdout == "events-in is off; it takes effect everywhere within 5 seconds.\n", done.stderr
        assert openmeet(environment, "off", "events-in", "--why", "again").stdout == "events-in was already off.\n"
        assert "events-in           off" in openmeet(environment, "list").stdout
        assert openmeet(environment, "on", "events-in", "--why", "it is over").returncode == 0
        changes = json.loads(openmeet(environment, "history", "--json").stdout)
        assert [(one["flag"], one["on"], one["why"]) for one in changes] == [
            ("events-in", True, "it is over"),
            ("events-in", False, "spam from everywhere"),
        ]
        assert all(one["by"].endswith(" by command") for one in changes)
        async with platform.db.reader() as reader:
            queued = await reader.fetch(
                "select subject from outbox_jobs where kind = :kind", kind=JobKind.BACKFILL.value
            )
        assert [row["subject"] for row in queued] == [did]


def test_unknown_flag_is_misuse_and_the_names_are_shown(tmp_path: Path):
    environment = {"OPENMEET_DATA_DIRECTORY": str(tmp_path), "OPENMEET_DEV_MAILBOX": "true", "COLUMNS": "400"}
    refused = openmeet(environment, "on", "everything", "--why", "A test")
    assert refused.returncode == 2
    assert "series-lexicon" in refused.stderr
    assert "'everything' is not one of events-in, " in " ".join(refused.stderr.replace("│", "").split())
    assert "Value error" not in refused.stderr


def test_a_flag_is_switched_with_a_reason_or_not_at_all(tmp_path: Path):
    environment = {"OPENMEET_DATA_DIRECTORY": str(tmp_path), "OPENMEET_DEV_MAILBOX": "true"}
    for silent in ((), ("--why", " ")):
        refused = openmeet(environment, "off", "events-in", *silent)
        assert refused.returncode in {1, 2}
        assert any(word in refused.stderr.lower() for word in ("--why", "give a reason"))
    assert openmeet(environment, "history").stdout == "No flag has been switched yet.\n"
