"""Accounts that call through another server: their service token, its single use, and a changed key."""

import hmac
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from at_protocol.crypto import base64url, jwt
from at_protocol.crypto.did_key import format_did_key
from at_protocol.crypto.k256 import K256PrivateKey
from at_protocol.identity import plc_operation
from at_protocol.identity.plc_operation import PlcOperation
from at_protocol.xrpc.service_auth import MAX_CLOCK_SKEW_SECONDS, MAX_LIFETIME_SECONDS
from groundwork.clock import SECOND, HandClock
from tests.aurora_locus.conftest import MakeDeployment
from tests.aurora_locus.deployment import SERVER, Deployment, Person, open_deployment, statuses, together
from tests.databases import MakeDatabase
from tests.external_dependencies import needs

UPLOAD = "com.atproto.repo.uploadBlob"


async def upload(deployment: Deployment, token: str) -> httpx.Response:
    headers = {"authorization": f"Bearer {token}", "content-type": "text/plain"}
    return await deployment.http.post(f"/xrpc/{UPLOAD}", content=b"hello", headers=headers)


async def own_key(deployment: Deployment, person: Person) -> K256PrivateKey:
    key = await deployment.pds.registry.repositories.keys.signing_key(person.did)
    assert isinstance(key, K256PrivateKey)
    return key


def token_of(deployment: Deployment, person: Person, key: K256PrivateKey, **changes: Any) -> str:
    now = deployment.clock.now() // SECOND
    claims = {
        "iss": person.did,
        "aud": deployment.settings.did,
        "lxm": UPLOAD,
        "iat": now,
        "exp": now + 60,
        "jti": "once",
        **changes,
    }
    return jwt.sign({name: value for name, value in claims.items() if value is not None}, key)


async def test_account_uploads_through_a_service(deployment: Deployment) -> None:
    """An account uploads through a service with the token from getServiceAuth; the blob belongs to the account."""
    ana = await deployment.sign_up("ana")
    asked = await ana.get(f"{SERVER}.getServiceAuth", aud=f"{deployment.settings.did}#atproto_pds", lxm=UPLOAD)
    answer = await upload(deployment, asked.json()["token"])
    assert answer.status_code == 200, answer.text
    async with deployment.db.reader() as reader:
        row = await reader.fetch_one("select did from blobs")
    assert row is not None
    assert row["did"] == ana.did


async def test_token_can_be_used_once(deployment: Deployment) -> None:
    """Of many concurrent uses of a token one succeeds. Its row may be deleted once the token has expired."""
    ana = await deployment.sign_up("ana")
    token = token_of(deployment, ana, await own_key(deployment, ana))
    answers = await together(*(upload(deployment, token) for _ in range(5)))
    assert statuses(answers) == [200, 401, 401, 401, 401]
    deployment.clock.turn(60 * SECOND)
    assert (await upload(deployment, token)).status_code == 401


@needs("redis")
@pytest.mark.parametrize("engine", ["postgresql"], indirect=True)
async def test_token_can_be_used_once_at_all_processes(
    make_deployment: MakeDeployment, pds_url: str, make_sqlite: MakeDatabase, clock: HandClock, tmp_path: Path
) -> None:
    """With a Redis, a token that was used at one process is refused by the others."""
    redis = {"redis_scratch_address": "127.0.0.1:6379"}
    first = await make_deployment(**redis)
    ana = await first.sign_up("ana")
    tokens = [token_of(first, ana, await own_key(first, ana), jti=jti) for jti in ("one", "two")]
    plc, same_directory = await make_sqlite("plc_directory"), {"did_plc_url": first.directory.url}
    async with open_deployment(pds_url, plc, clock, tmp_path, **redis, **same_directory) as second:
        assert [(await upload(server, tokens[0])).status_code for server in (first, second)] == [200, 401]
        assert [(await upload(server, tokens[1])).status_code for server in (second, first)] == [200, 401]


@pytest.mark.parametrize("rewritten", [False, True])
async def test_token_without_identifier_is_used_once_as_well(deployment: Deployment, rewritten: bool) -> None:
    """A token without an identifier can also be used only once, even if its signature is written in its other form."""
    ana = await deployment.sign_up("ana")
    token = token_of(deployment, ana, await own_key(deployment, ana), jti=None)
    assert (await upload(deployment, token)).status_code == 200
    if rewritten:
        order = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
        signed, _, encoded = token.rpartition(".")
        signature = base64url.decode(encoded)
        high = (order - int.from_bytes(signature[32:], "big")).to_bytes(32, "big")
        token = f"{signed}.{base64url.encode(signature[:32] + high)}"
    assert (await upload(deployment, token)).status_code == 401


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"aud": "did:web:other.example.org"}, "BadJwtAudience"),
        ({"aud": "did:web:localhost%3A3000#other"}, "BadJwtAudience"),
        ({"lxm": "com.atproto.repo.createRecord"}, "BadJwtLexiconMethod"),
        ({"lxm": UPLOAD.lower()}, "BadJwtLexiconMethod"),
        ({"exp": 1}, "JwtExpired"),
        ({"exp": 4_000_000_000}, "BadJwt"),
        ({"iat": 4_000_000_000}, "BadJwt"),
        ({"iss": "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa"}, "BadJwtIss"),
        ({"iss": "did:example:1"}, "BadJwtIss"),
        ({"cnf": {}}, "BadJwtType"),
    ],
)
async def test_wrong_claims(deployment: Deployment, changes: dict[str, Any], error: str) -> None:
    ana = await deployment.sign_up("ana")
    answer = await upload(deployment, token_of(deployment, ana, await own_key(deployment, ana), **changes))
    assert (answer.status_code, answer.json()["error"]) == (401, error)
    assert await deployment.count("blobs") == 0


@pytest.mark.parametrize(
    ("seconds", "status"), [(MAX_LIFETIME_SECONDS + MAX_CLOCK_SKEW_SECONDS, 200), (MAX_LIFETIME_SECONDS + 61, 401)]
)
async def test_token_is_accepted_for_an_hour_at_most(deployment: Deployment, seconds: int, status: int) -> None:
    """Every used token is remembered until it expires, so it may not be valid for longer than those that servers issue.
    A minute more is for clocks that differ.
    """
    ana = await deployment.sign_up("ana")
    now = deployment.clock.now() // SECOND
    answer = await upload(deployment, token_of(deployment, ana, await own_key(deployment, ana), exp=now + seconds))
    assert answer.status_code == status, answer.text


@pytest.mark.parametrize("algorithm", ["none", "HS256", "ES256"])
async def test_algorithm_is_that_of_the_key(deployment: Deployment, algorithm: str) -> None:
    """The key determines the algorithm: a token that is unsigned, or signed with the public key as a secret, is
    refused.
    """
    ana = await deployment.sign_up("ana")
    key = await own_key(deployment, ana)
    _, claims, good = token_of(deployment, ana, key).split(".")
    head = base64url.encode(f'{{"typ":"JWT","alg":"{algorithm}"}}'.encode())
    public = format_did_key(key.public).encode()
    secret = base64url.encode(hmac.digest(public, f"{head}.{claims}".encode(), "sha256"))
    signature = {"none": "", "HS256": secret, "ES256": good}[algorithm]
    answer = await upload(deployment, f"{head}.{claims}.{signature}")
    assert answer.status_code == 401
    assert await deployment.count("blobs") == 0


async def test_token_of_another_key_uses_up_nothing(deployment: Deployment) -> None:
    ana, ben = await deployment.sign_up("ana"), await deployment.sign_up("ben")
    forged = await upload(deployment, token_of(deployment, ana, await own_key(deployment, ben)))
    assert (forged.status_code, forged.json()["error"]) == (401, "BadJwtSignature")
    assert (await upload(deployment, token_of(deployment, ana, await own_key(deployment, ana)))).status_code == 200


async def test_changed_key_is_fetched_once(deployment: Deployment) -> None:
    """After a key change the cached document is fetched again once, and the new key is accepted."""
    ana = await deployment.sign_up("ana")
    assert (await upload(deployment, token_of(deployment, ana, await own_key(deployment, ana)))).status_code == 200
    new_key = K256PrivateKey.from_bytes(b"\x07" * 32)
    registry = deployment.pds.registry
    newest = await registry.directory.last(ana.did)
    assert isinstance(newest, PlcOperation)
    changed = replace(
        newest,
        verification_methods={"atproto": format_did_key(new_key.public)},
        prev=str(plc_operation.cid_of(newest)),
    )
    await registry.directory.submit(ana.did, plc_operation.sign(changed, registry.rotation_key))
    deployment.clock.turn(30 * SECOND)
    assert (await upload(deployment, token_of(deployment, ana, new_key, jti="twice"))).status_code == 200


async def test_service_token_opens_nothing_else(deployment: Deployment) -> None:
    """A service token is refused by other methods and by methods that require a session. A session token is still
    accepted.
    """
    ana = await deployment.sign_up("ana")
    token = token_of(deployment, ana, await own_key(deployment, ana), lxm="com.atproto.repo.createRecord")
    record = {"repo": ana.did, "collection": "org.example.note", "record": {"text": "hello"}}
    answer = await ana.bearing(token).post("com.atproto.repo.createRecord", record)
    assert (answer.status_code, answer.json()["error"]) == (400, "InvalidToken")
    session = ana.headers["authorization"].removeprefix("Bearer ")
    assert (await upload(deployment, session)).status_code == 200


async def test_taken_down_account_cannot_call_through_a_service(deployment: Deployment) -> None:
    ana = await deployment.sign_up("ana")
    await deployment.db.write(lambda w: w.execute("update repositories set status = 'takendown'"))
    answer = await upload(deployment, token_of(deployment, ana, await own_key(deployment, ana)))
    assert (answer.status_code, answer.json()["error"]) == (401, "AccountTakedown")


async def test_deactivated_account_may_upload(deployment: Deployment) -> None:
    ana = await deployment.sign_up("ana")
    await ana.post(f"{SERVER}.deactivateAccount", {})
    assert (await upload(deployment, token_of(deployment, ana, await own_key(deployment, ana)))).status_code == 200
