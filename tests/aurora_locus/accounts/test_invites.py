"""Invite codes that accounts may pass on."""

from typing import Any

import httpx
import pytest

from aurora_locus.accounts import invites
from groundwork.clock import MINUTE
from tests.aurora_locus.conftest import MakeDeployment
from tests.aurora_locus.deployment import SERVER, Deployment

MANY, MINE = f"{SERVER}.createInviteCodes", f"{SERVER}.getAccountInviteCodes"


def named(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, "" if answer.status_code == 200 else answer.json()["error"]


async def test_each_account_sees_its_own_codes(make_deployment: MakeDeployment) -> None:
    """Each account sees its own codes and the accounts that used them."""
    deployment = await make_deployment(invite_required=True)
    first = (await deployment.administration.post(MANY, {"codeCount": 3, "useCount": 1})).json()["codes"]
    assert [one["account"] for one in first] == ["admin"]
    ana, ben = [
        await deployment.sign_up(name, inviteCode=code)
        for name, code in zip(("ana", "ben"), first[0]["codes"], strict=False)
    ]
    wish = {"codeCount": 2, "useCount": 1, "forAccounts": [ana.did, ben.did, ana.did]}
    made = (await deployment.administration.post(MANY, wish)).json()["codes"]
    assert [(one["account"], len(one["codes"])) for one in made] == [(ana.did, 2), (ben.did, 2)]
    eva = await deployment.sign_up("eva", inviteCode=made[0]["codes"][0])
    mine = (await ana.get(MINE)).json()["codes"]
    assert {one["code"] for one in mine} == set(made[0]["codes"])
    assert all((one["available"], one["forAccount"], one["createdBy"]) == (1, ana.did, "admin") for one in mine)
    assert [use["usedBy"] for one in mine for use in one["uses"]] == [eva.did]
    unused = (await ana.get(MINE, includeUsed="false")).json()["codes"]
    assert [one["code"] for one in unused] == [made[0]["codes"][1]]


async def test_accounts_do_not_see_disabled_codes(make_deployment: MakeDeployment) -> None:
    """A disabled code is not listed for its owner, who would pass it on. The newest use of a code is listed first."""
    deployment = await make_deployment(invite_required=False)
    host = deployment.administration
    ana = await deployment.sign_up("ana")
    wish = {"codeCount": 2, "useCount": 2, "forAccounts": [ana.did]}
    first, second = (await host.post(MANY, wish)).json()["codes"][0]["codes"]
    guests = []
    for name in ("ben", "eva"):
        guests.append((await deployment.sign_up(name, inviteCode=second)).did)
        deployment.clock.turn(MINUTE)
    assert named(await host.post("com.atproto.admin.disableInviteCodes", {"codes": [first]})) == (200, "")
    (mine,) = (await ana.get(MINE)).json()["codes"]
    assert (mine["code"], [use["usedBy"] for use in mine["uses"]]) == (second, guests[::-1])


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    "changes",
    [
        {"codeCount": 0},
        {"codeCount": 1001},
        {"useCount": 1_000_001},
        {"codeCount": 501, "forAccounts": ["did:plc:a", "did:plc:b"]},
    ],
)
async def test_unreasonable_amounts_are_refused(deployment: Deployment, changes: dict[str, Any]) -> None:
    answer = await deployment.administration.post(MANY, {"codeCount": 1, "useCount": 1, **changes})
    assert named(answer) == (400, "InvalidRequest")
    assert await deployment.count("invite_codes") == 0


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
@pytest.mark.parametrize("uses", [0, -1])
async def test_invite_for_an_unknown_account_is_useless(deployment: Deployment, uses: int) -> None:
    """An invite code for an unknown account invites nobody; the reference creates such codes."""
    made = await deployment.administration.post(MANY, {"codeCount": 1, "useCount": uses})
    (code,) = made.json()["codes"][0]["codes"]
    assert named(await deployment.ask_to_sign_up("ana", inviteCode=code)) == (400, "InvalidInviteCode")


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
async def test_accounts_cannot_create_codes(deployment: Deployment) -> None:
    ana = await deployment.sign_up("ana")
    assert named(await ana.post(MANY, {"codeCount": 1, "useCount": 1})) == (401, "AuthenticationRequired")
    assert (await ana.get(MINE)).json() == {"codes": []}


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
async def test_finding_the_invite_of_an_account_reads_no_other_codes(deployment: Deployment) -> None:
    """Looking for the invite of an account reads no other codes. A host has as many codes as accounts, and moderation
    tools look for each account they show.
    """
    async with deployment.db.reader() as reader:
        plan = await reader.fetch(f"explain query plan {invites._USED_BY}", dids=["did:plc:a", "did:plc:b"])
    steps = [str(row["detail"]) for row in plan]
    assert any("SEARCH u USING" in step and "used_by" in step for step in steps), steps
