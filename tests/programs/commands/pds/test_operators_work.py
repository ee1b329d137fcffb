"""Accounts, invites and the event log from the command line, against a running server."""

import asyncio
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.aurora_locus.conftest import MakeDeployment, make_deployment, pds_url
from tests.aurora_locus.deployment import ADMIN_PASSWORD, Deployment
from tests.aurora_locus.moderation.decisions import write_note
from tests.aurora_locus.moderation.operators import acts
from tests.aurora_locus.xrpc.recording_relay import FEDERATED_SETTINGS, open_relay
from tests.fork_server import FORK_SERVER

from groundwork.clock import MINUTE, HandClock

__all__ = ["make_deployment", "pds_url"]  # fixtures of another folder

pytestmark = pytest.mark.parametrize("engine", ["sqlite"], indirect=True)


@dataclass
class Said:
    """The output and exit status of a command."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        assert self.out, self.err
        return json.loads(self.out)


async def openmeet(
    deployment: Deployment, *arguments: str, given: str = "", url: bool = True, **environment: str
) -> Said:
    """Run ``openmeet pds …`` as an operator's shell does."""
    done = await asyncio.to_thread(
        FORK_SERVER.run,
        *("pds", *arguments),
        *(("--url", deployment.url) if url else ()),
        environment={
            "PDS_DEV_MODE": "true",
            "PDS_ADMIN_PASSWORD": ADMIN_PASSWORD,
            "PDS_DATABASE_URL": deployment.settings.database,
            **environment,
        },
        given=given,
    )
    return Said(done.returncode, done.stdout, done.stderr)


async def test_account_is_created_taken_down_and_deleted(make_deployment: MakeDeployment) -> None:
    """An account is created without an invite on an invite-only server, shown, taken down, restored, given another
    password, and deleted.
    """
    deployment = await make_deployment(invite_required=True)
    made = await openmeet(deployment, "account", "create", "ana.test", "ana@example.org", "--json")
    assert made.status == 0, made.err
    did, password = made.json["did"], made.json["password"]
    assert (await deployment.sign_in("ana.test", password)).status_code == 200
    await openmeet(
        deployment, "account", "create", "ben.test", "ben@example.org", "--password-stdin", given="a word of ben\n"
    )
    assert (await deployment.sign_in("ben.test", "a word of ben")).status_code == 200
    listed = await openmeet(deployment, "account", "list", "--email", "ANA@", "--json")
    assert [one["handle"] for one in listed.json] == ["ana.test"]

    hidden = await openmeet(
        deployment,
        "account",
        "takedown",
        "ana.test",
        "ben@example.org",
        "nobody.test",
        "--reference",
        "case 7",
        "--json",
    )
    assert hidden.status == 1
    assert [one["account"] for one in hidden.json["done"]] == ["ana.test", "ben@example.org"]
    assert [one["account"] for one in hidden.json["failed"]] == ["nobody.test"]
    shown = (await openmeet(deployment, "account", "show", "@Ana.test", "--json")).json
    assert (shown["status"], shown["takedown"]) == ("takendown", {"applied": True, "ref": "case 7"})
    assert (await openmeet(deployment, "account", "restore", did)).out == "1 account restored\n"

    reset = await openmeet(deployment, "account", "reset-password", "ana.test", "--json")
    assert (await deployment.sign_in("ana.test", reset.json["password"])).status_code == 200
    assert (await openmeet(deployment, "account", "reset-password", "ana.test", "--email")).status == 0
    refused = await openmeet(deployment, "account", "delete", "ana.test")
    assert (refused.status, "--yes" in refused.err) == (1, True)
    assert (await openmeet(deployment, "account", "delete", "ana.test", "--yes")).status == 0
    assert (await openmeet(deployment, "account", "show", did)).status == 1
    assert await acts(deployment, subject=did) == [
        "account.create",
        "subject.take_down", "subject.restore", "account.set_password", "account.delete",
    ]  # fmt: skip


async def test_invite_codes_are_created_listed_and_disabled(make_deployment: MakeDeployment) -> None:
    deployment = await make_deployment(invite_required=True)
    codes = (await openmeet(deployment, "invite", "create", "--count", "2", "--uses", "3")).out.split()
    assert (await deployment.ask_to_sign_up("ana", inviteCode=codes[0])).status_code == 200
    by_usage = await openmeet(deployment, "invite", "list", "--by-usage", "--json")
    assert [(one["code"], len(one["uses"])) for one in by_usage.json] == [(codes[0], 1), (codes[1], 0)]
    unknown = await openmeet(deployment, "invite", "disable", codes[0], "never-made")
    assert (unknown.status, unknown.out) == (1, "1 code disabled\n")
    assert unknown.err.startswith("never-made: There is no such code.")
    assert (await openmeet(deployment, "invite", "disable", *codes)).out == "2 codes disabled\n"
    assert (await deployment.ask_to_sign_up("ben", inviteCode=codes[1])).status_code == 400
    assert "disabled" in (await openmeet(deployment, "invite", "list")).out


async def test_the_event_log_is_counted_and_listed(deployment: Deployment) -> None:
    ana = await deployment.sign_up("ana")
    await deployment.sign_up("ben")
    await write_note(ana)
    status = (await openmeet(deployment, "sequence", "status", "--json", url=False)).json
    assert status["head"] == 9
    assert {kind: one[0] for kind, one in status["kept"].items()} == {
        "account": 2,
        "commit": 3,
        "identity": 2,
        "sync": 2,
    }
    of_ana = (
        await openmeet(deployment, "sequence", "list", "--did", ana.did, "--limit", "2", "--json", url=False)
    ).json
    assert [(one["seq"], one["kind"]) for one in of_ana] == [(4, "sync"), (9, "commit")]
    behind = (await openmeet(deployment, "sequence", "list", "--after", "0", "--limit", "2", url=False)).out
    assert [line.split()[0] for line in behind.splitlines()] == ["1", "2"]
    kept = (await openmeet(deployment, "sequence", "status", url=False)).out.splitlines()
    assert kept[:2] == ["newest number  9", "deleted up to  0"]
    assert kept[2].startswith("account   2  events, the oldest of ")
    one = (await openmeet(deployment, "sequence", "show", "9", "--json", url=False)).json
    assert (one["kind"], one["repo"], one["seq"]) == ("#commit", ana.did, 9)
    assert (await openmeet(deployment, "sequence", "show", "99", url=False)).status == 1
    assert (await openmeet(deployment, "sequence", "verify", url=False)).out == "9 events read, 0 wrong\n"
    await deployment.db.write(
        lambda w: w.execute("update events set frame = (select frame from events where seq = 1) where seq = 2")
    )
    damaged = await openmeet(deployment, "sequence", "verify", "--json", url=False)
    assert (damaged.status, damaged.json["wrong"]) == (1, [{"seq": 2, "why": "contains the number 1"}])


async def test_failures_to_connect_are_reported(deployment: Deployment) -> None:
    wrong = await openmeet(deployment, "account", "list", PDS_ADMIN_PASSWORD="wrong")
    assert (wrong.status, wrong.err.endswith("Wrong administration password.\n")) == (1, True)
    nobody = await openmeet(deployment, "account", "list", "--url", "http://127.0.0.1:1", url=False)
    assert (nobody.status, "No server answers at http://127.0.0.1:1" in nobody.err) == (1, True)
    plain = await openmeet(deployment, "account", "list", "--url", "http://pds.example.org", url=False)
    assert (plain.status, "unencrypted" in plain.err) == (1, True)
    absent = await openmeet(deployment, "sequence", "status", url=False, PDS_DATABASE_URL="sqlite:///nowhere/pds.db")
    assert (absent.status, "There is no Aurora Locus at" in absent.err) == (1, True)


@pytest.fixture
async def deployment(make_deployment: MakeDeployment) -> Deployment:
    return await make_deployment()


async def test_released_handle_is_logged(make_deployment: MakeDeployment) -> None:
    """A released handle is free for anybody, and the audit log records who released it and whose it was. The release of
    a handle that is not reserved is refused and not logged.
    """
    deployment = await make_deployment()
    ana, ben = await deployment.sign_up("ana"), await deployment.sign_up("ben")
    method = "com.atproto.identity.updateHandle"
    assert (await ana.post(method, {"handle": "anna.test"})).status_code == 200
    assert (await ben.post(method, {"handle": "ana.test"})).json()["error"] == "HandleNotAvailable"
    released = await openmeet(deployment, "release-handle", "@Ana.test", url=False)
    assert (released.status, released.out) == (0, "ana.test can be taken now.\n"), released.err
    again = await openmeet(deployment, "release-handle", "ana.test", url=False)
    assert again.status == 1
    assert "ana.test is not reserved for anybody" in again.err
    async with deployment.db.reader() as reader:
        rows = await reader.fetch("select actor, action, subject, before from audit_log")
    assert [(row["actor"], row["action"], row["subject"]) for row in rows] == [
        ("admin", "account.release_handle", ana.did)
    ]
    assert json.loads(rows[0]["before"]) == {"handle": "ana.test"}
    assert (await ben.post(method, {"handle": "ana.test"})).status_code == 200


async def test_quota_is_shown_in_units_and_exactly(deployment: Deployment) -> None:
    ana = await deployment.sign_up("ana")
    shown = await openmeet(deployment, "quota", ana.did, "--set", "1234567", url=False)
    assert shown.out == "used   0 bytes\nquota  1.2 MB (1,234,567 bytes)\n"
    as_json = (await openmeet(deployment, "quota", ana.did, "--json", url=False)).json
    assert as_json == {"did": ana.did, "quota_bytes": 1_234_567, "stored_bytes": 0}


async def test_account_is_shown_with_words(deployment: Deployment) -> None:
    ana = await deployment.sign_up("ana")
    lines = (await openmeet(deployment, "account", "show", "ana.test")).out.splitlines()
    rows = dict(line.split("  ", 1) for line in lines)
    assert rows["DID"].strip() == ana.did
    assert (rows["status"].strip(), rows["invites"].strip()) == ("active", "0 codes")
    listed = (await openmeet(deployment, "account", "list")).out
    assert listed == f"ana.test  ana@example.org  {ana.did}\n"


async def test_the_crawl_request_names_relays_that_were_not_asked_again(
    make_deployment: MakeDeployment, clock: HandClock, tmp_path: Path
) -> None:
    """A relay that was asked less than twenty minutes ago is skipped, and the command says so."""
    async with open_relay() as asked, open_relay() as skipped:
        (tmp_path / "pds").mkdir()
        (tmp_path / "pds" / "crawl_requests.json").write_text(json.dumps({skipped.url: clock.now() - 5 * MINUTE}))
        deployment = await make_deployment(**FEDERATED_SETTINGS, federation_relay_urls=(asked.url, skipped.url))
        said = await openmeet(deployment, "request-crawl", PDS_URL=deployment.url)
        assert (len(asked.asked), len(skipped.asked)) == (1, 0)
    assert said.status == 0, said.err
    first, second = said.out.splitlines()
    assert first.split() == [asked.url, "asked"]
    assert second.split(maxsplit=1) == [skipped.url, "not asked: the last request is less than twenty minutes old"]
