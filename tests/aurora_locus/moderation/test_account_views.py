"""Account details for the operator, and disabling invites."""

import httpx
import pytest

from tests.aurora_locus.deployment import SERVER, Deployment

ADMIN = "com.atproto.admin"


def named(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, "" if answer.status_code == 200 else answer.json()["error"]


async def code_for(deployment: Deployment, owner: str) -> str:
    body = {"useCount": 1, "forAccount": owner}
    return str((await deployment.administration.post(f"{SERVER}.createInviteCode", body)).json()["code"])


async def test_operator_sees_an_account(deployment: Deployment) -> None:
    ana, ben = await deployment.sign_up("ana"), await deployment.sign_up("ben")
    code = await code_for(deployment, ana.did)
    await deployment.db.write(
        lambda w: w.execute(
            "insert into invite_code_uses (code, used_by, used_at) values (:code, :did, 5)", code=code, did=ben.did
        )
    )
    of_ana = (await deployment.administration.get(f"{ADMIN}.getAccountInfo", did=ana.did)).json()
    assert (of_ana["handle"], of_ana["email"], of_ana["invitesDisabled"]) == ("ana.test", "ana@example.org", False)
    assert [(one["code"], one["uses"][0]["usedBy"]) for one in of_ana["invites"]] == [(code, ben.did)]
    asked = {"dids": [ben.did, ana.did, "did:plc:ragtjsm2j2vknwkz3zp4oxrd", ana.did]}
    infos = (await deployment.administration.get(f"{ADMIN}.getAccountInfos", **asked)).json()["infos"]
    assert [one["did"] for one in infos] == sorted([ana.did, ben.did])
    assert {one["did"]: one.get("invitedBy", {}).get("code") for one in infos} == {ana.did: None, ben.did: code}


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
async def test_account_views_are_only_for_operators(deployment: Deployment) -> None:
    ana = await deployment.sign_up("ana")
    assert named(await ana.get(f"{ADMIN}.getAccountInfo", did=ana.did)) == (401, "UntrustedIss")
    unknown = await deployment.administration.get(f"{ADMIN}.getAccountInfo", did="did:plc:ragtjsm2j2vknwkz3zp4oxrd")
    assert named(unknown) == (400, "NotFound")


async def test_codes_are_disabled_singly_or_per_account(deployment: Deployment) -> None:
    ana = await deployment.sign_up("ana")
    lost, of_ana = await code_for(deployment, "did:web:a.example"), await code_for(deployment, ana.did)
    kept = await code_for(deployment, "did:web:a.example")
    body = {"codes": [lost, "unknown", "a\x00b"], "accounts": [ana.did]}
    assert named(await deployment.administration.post(f"{ADMIN}.disableInviteCodes", body)) == (200, "")
    assert named(await deployment.administration.post(f"{ADMIN}.disableInviteCodes", {})) == (200, "")
    async with deployment.db.reader() as reader:
        rows = await reader.fetch("select code, disabled from invite_codes")
    assert {row["code"]: row["disabled"] for row in rows} == {lost: 1, of_ana: 1, kept: 0}
    refused = await deployment.administration.post(f"{ADMIN}.disableInviteCodes", {"accounts": ["admin"]})
    assert named(refused) == (400, "InvalidRequest")
