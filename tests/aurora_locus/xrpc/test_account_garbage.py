"""Whatever strangers send to the methods about accounts: one of the protocol's errors, nothing stored, never a 500."""

from typing import Any

import pytest

from tests.aurora_locus.town import IDENTITY, SERVER, Town, together

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
async def test_nasty_values_in_every_field(town: Town, nsid: str) -> None:
    ana = await town.sign_up("ana")
    caller = ana if nsid.endswith(("deactivateAccount", "updateHandle")) else town.stranger
    for name in VALID[nsid]:
        answers = await together(*(caller.post(nsid, {**VALID[nsid], name: value}) for value in NASTY))
        for value, answer in zip(NASTY, answers, strict=True):
            assert answer.status_code in {200, 400, 401, 413}, (name, value, answer.text)
    assert await town.count("accounts") <= 2


@pytest.mark.parametrize("handle", ["", "a", "\x00", "x" * 300, "did:plc:abc", "ana.test\n", "%00"])
async def test_nasty_handles_do_not_resolve(town: Town, handle: str) -> None:
    answer = await town.stranger.get(f"{IDENTITY}.resolveHandle", handle=handle)
    assert (answer.status_code, answer.json()["error"]) in {(400, "InvalidRequest"), (400, "HandleNotFound")}


@pytest.mark.parametrize("host", ["", "a", ".test", "[::1]", "x" * 300, "ana.test:abc", "did:plc:abc"])
async def test_nasty_hosts_prove_nothing(town: Town, host: str) -> None:
    answer = await town.http.get("/.well-known/atproto-did", headers={"host": host})
    assert answer.status_code in {400, 404}
