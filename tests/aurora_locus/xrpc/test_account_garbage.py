"""Garbage sent to the account methods gets one of the protocol's errors, stores nothing, and never causes a 500."""

from typing import Any

import pytest

from tests.aurora_locus.deployment import IDENTITY, SERVER, Deployment, together

# A DID without an account here.
NOBODYS = "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa"

VALID: dict[str, dict[str, Any]] = {
    f"{SERVER}.createAccount": {
        "handle": "ben.test",
        "email": "ben@example.org",
        "password": "password of ben",
        "inviteCode": "localhost-aaaaa-bbbbb",
        "recoveryKey": "did:key:zQ3shokFTS3brHcDQrn82RUDfCZESWL1ZdCEJwekUDPQiYBme",
    },
    f"{SERVER}.createSession": {"identifier": "ana.test", "password": "password of ana"},
    f"{SERVER}.deactivateAccount": {"deleteAfter": "2030-01-01T00:00:00Z"},
    f"{IDENTITY}.updateHandle": {"handle": "anabel.test"},
    f"{SERVER}.createAppPassword": {"name": "phone", "privileged": True},
    f"{SERVER}.revokeAppPassword": {"name": "phone"},
    f"{SERVER}.confirmEmail": {"email": "ana@example.org", "token": "AAAAA-AAAAA"},
    f"{SERVER}.updateEmail": {"email": "new@example.org", "token": "AAAAA-AAAAA", "emailAuthFactor": False},
    f"{SERVER}.requestPasswordReset": {"email": "ana@example.org"},
    f"{SERVER}.resetPassword": {"token": "AAAAA-AAAAA", "password": "another password"},
    f"{SERVER}.deleteAccount": {"did": NOBODYS, "password": "password of ana", "token": "AAAAA-AAAAA"},
    f"{SERVER}.reserveSigningKey": {"did": "did:plc:ragtjsm2j2vknwkz3zp4oxrd"},
    f"{SERVER}.createInviteCodes": {"codeCount": 1, "useCount": 1, "forAccounts": [NOBODYS]},
    f"{IDENTITY}.refreshIdentity": {"identifier": "ana.test"},
    f"{IDENTITY}.signPlcOperation": {
        "token": "AAAAA-AAAAA",
        "rotationKeys": ["did:key:zQ3shokFTS3brHcDQrn82RUDfCZESWL1ZdCEJwekUDPQiYBme"],
        "alsoKnownAs": ["at://ana.test"],
        "verificationMethods": {"atproto": "did:key:zQ3shokFTS3brHcDQrn82RUDfCZESWL1ZdCEJwekUDPQiYBme"},
        "services": {"atproto_pds": {"type": "AtprotoPersonalDataServer", "endpoint": "https://pds.example"}},
    },
    f"{IDENTITY}.submitPlcOperation": {"operation": {"type": "plc_operation", "prev": None, "sig": "AAAA"}},
    "com.atproto.sync.requestCrawl": {"hostname": "pds.example"},
    "app.bsky.actor.putPreferences": {"preferences": [{"$type": "app.bsky.actor.defs#x"}]},
    "com.atproto.admin.disableInviteCodes": {"codes": ["a"], "accounts": ["b"]},
    "com.atproto.admin.updateSubjectStatus": {
        "subject": {"$type": "com.atproto.admin.defs#repoRef", "did": NOBODYS},
        "takedown": {"applied": True, "ref": "case"},
        "deactivated": {"applied": True},
    },
}

OWN = frozenset(
    {
        f"{IDENTITY}.refreshIdentity",
        f"{IDENTITY}.signPlcOperation",
        f"{IDENTITY}.submitPlcOperation",
        f"{IDENTITY}.updateHandle",
        f"{SERVER}.confirmEmail",
        f"{SERVER}.createAppPassword",
        f"{SERVER}.deactivateAccount",
        f"{SERVER}.revokeAppPassword",
        f"{SERVER}.updateEmail",
        "app.bsky.actor.putPreferences",
    }
)
OF_THE_HOST = frozenset(
    {
        f"{SERVER}.createInviteCodes",
        "com.atproto.admin.disableInviteCodes",
        "com.atproto.admin.updateSubjectStatus",
        "com.atproto.sync.requestCrawl",
    }
)

QUERIES: dict[str, dict[str, str]] = {
    f"{IDENTITY}.resolveDid": {"did": NOBODYS},
    f"{IDENTITY}.resolveIdentity": {"identifier": "ana.test"},
    "com.atproto.sync.getHostStatus": {"hostname": "pds.example"},
    "com.atproto.sync.listHosts": {"limit": "5", "cursor": "1"},
    f"{SERVER}.getServiceAuth": {"aud": "did:web:a.example", "lxm": "app.bsky.feed.getTimeline", "exp": "1"},
    f"{SERVER}.getAccountInviteCodes": {"includeUsed": "true", "createAvailable": "false"},
    "com.atproto.admin.getAccountInfo": {"did": NOBODYS},
    "com.atproto.admin.getAccountInfos": {"dids": NOBODYS},
    "com.atproto.admin.getSubjectStatus": {
        "did": NOBODYS,
        "uri": f"at://{NOBODYS}/org.example.note/a",
        "blob": "bafkreidfayvfuwqa7qlnopdjiqrxzs6blmoeu4rujcjtnci5beludirz2a",
    },
}

NASTY: list[Any] = [
    None,
    True,
    -1,
    2**53 - 1,
    [],
    {},
    "",
    " ",
    "\x00",
    "a\x00b.test",
    "did:plc:\x00",
    "a\x00@example.org",
    "\u202eana.test",
    "\ufffd" * 20,
    "' or 1=1 --",
    "x" * 60_000,
    "0000-01-01T00:00:00Z",
    "9999-12-31T23:59:59.999999999Z",
]


@pytest.mark.parametrize("nsid", VALID)
async def test_hostile_values_in_every_field(deployment: Deployment, nsid: str) -> None:
    ana = await deployment.sign_up("ana")
    caller = ana if nsid in OWN else deployment.administration if nsid in OF_THE_HOST else deployment.stranger
    for name in VALID[nsid]:
        answers = await together(*(caller.post(nsid, {**VALID[nsid], name: value}) for value in NASTY))
        for value, answer in zip(NASTY, answers, strict=True):
            assert answer.status_code in {200, 400, 401, 413}, (name, value, answer.text)
    assert await deployment.count("accounts") <= 2


@pytest.mark.parametrize("nsid", QUERIES)
async def test_hostile_values_in_every_parameter(deployment: Deployment, nsid: str) -> None:
    ana = await deployment.sign_up("ana")
    caller = deployment.administration if ".admin." in nsid else ana
    for name in QUERIES[nsid]:
        for value in (one for one in NASTY if isinstance(one, str) and len(one) < 10_000):
            answer = await caller.get(nsid, **{**QUERIES[nsid], name: value})
            assert answer.status_code in {200, 400}, (name, value, answer.text)


@pytest.mark.parametrize("handle", ["", "a", "\x00", "x" * 300, "did:plc:abc", "ana.test\n", "%00"])
async def test_hostile_handles_do_not_resolve(deployment: Deployment, handle: str) -> None:
    answer = await deployment.stranger.get(f"{IDENTITY}.resolveHandle", handle=handle)
    assert (answer.status_code, answer.json()["error"]) in {(400, "InvalidRequest"), (400, "HandleNotFound")}


@pytest.mark.parametrize("host", ["", "a", ".test", "[::1]", "x" * 300, "ana.test:abc", "did:plc:abc"])
async def test_hostile_host_names_prove_no_handle(deployment: Deployment, host: str) -> None:
    answer = await deployment.http.get("/.well-known/atproto-did", headers={"host": host})
    assert answer.status_code in {400, 404}
