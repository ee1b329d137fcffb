"""Malformed responses of devices are refused. Those of real devices are in ``web/security_pages/test_passkeys.py``."""

import hashlib
import json
import random
import struct

import cbor2
import pytest

from at_protocol.crypto import base64url
from at_protocol.syntax.did import Did
from aurora_locus.accounts.second_factors import passkeys
from aurora_locus.accounts.second_factors.passkeys import PasskeyContext
from groundwork.database.transaction import Writer
from groundwork.errors import InvalidInput
from tests.aurora_locus.deployment import Deployment

_USER_PRESENT_AND_VERIFIED_WITH_KEY = 0x45
_FORMATS = ["none", "packed", "tpm", "android-key", "apple", "fido-u2f", "android-safetynet", 7, None]
_FIELDS = ["sig", "alg", "x5c", "ver", "response", "certInfo", "pubArea"]
_VALUES = [None, True, -7, 2**70, 1.5, b"", b"0" * 70, "2.0", "a.b.c", [], [b""], [b"0" * 70], {}, {1: 2}]
# ES256 on the curve P-256.
_KEY = {1: 2, 3: -7, -1: 1, -2: b"1" * 32, -3: b"2" * 32}


def authenticator_data(context: PasskeyContext, key: object) -> bytes:
    """Section 6.1 of Web Authentication, with a credential of 16 bytes."""
    head = hashlib.sha256(context.id.encode()).digest() + bytes([_USER_PRESENT_AND_VERIFIED_WITH_KEY]) + bytes(4)
    return head + bytes(16) + struct.pack(">H", 16) + b"c" * 16 + cbor2.dumps(key)


def response(context: PasskeyContext, challenge: bytes, attestation: object, purpose: str = "webauthn.create") -> str:
    client = {"type": purpose, "challenge": base64url.encode(challenge), "origin": context.url}
    inner = {
        "clientDataJSON": base64url.encode(json.dumps(client).encode()),
        "attestationObject": base64url.encode(cbor2.dumps(attestation)),
    }
    identifier = base64url.encode(b"c" * 16)
    return json.dumps({"id": identifier, "rawId": identifier, "type": "public-key", "response": inner})


def random_attestation(context: PasskeyContext, chance: random.Random) -> object:
    key: object = chance.choice(
        [_KEY, _VALUES, *_VALUES, _KEY | {chance.choice([1, 3, -1, -2]): chance.choice(_VALUES)}]
    )
    statement: object = {field: chance.choice(_VALUES) for field in _FIELDS if chance.random() < 0.6}
    data: object = authenticator_data(context, key)
    data = data if chance.random() < 0.9 else chance.choice(_VALUES)
    statement = statement if chance.random() < 0.9 else chance.choice(_VALUES)
    found: object = {"fmt": chance.choice(_FORMATS), "attStmt": statement, "authData": data}
    return found if chance.random() < 0.95 else chance.choice(_VALUES)


@pytest.mark.parametrize("seed", range(2))
async def test_malformed_responses_are_refused(deployment: Deployment, seed: int) -> None:
    registry, chance = deployment.pds.registry, random.Random(seed)
    did = Did((await deployment.sign_up("ana")).did)
    context = PasskeyContext(keys=registry.factor_keys, url="https://pds.test", name="Test", browser_id="browser")

    def challenge() -> bytes:
        return passkeys.new_challenge(context.keys, context.browser_id, deployment.clock.now())

    def refuses(w: Writer) -> bool:
        try:
            passkeys.add(w, context, did, response(context, challenge(), random_attestation(context, chance)), "Phone")
        except InvalidInput:
            return True
        return False

    def signs_in(w: Writer) -> bool:
        sent = json.loads(response(context, challenge(), {}, "webauthn.get"))
        for name in ("authenticatorData", "signature", "userHandle"):
            sent["response"][name] = chance.choice([None, True, 7, "", "AAAA", "=", [], {}])
        sent[chance.choice(["id", "rawId", "type"])] = chance.choice([None, 7, "", "AAAA", [], {}])
        return passkeys.take(w, context, json.dumps(sent)) is not None

    # A few of them are complete.
    assert sum([await deployment.db.write(refuses) for _ in range(100)]) >= 90
    assert not any([await deployment.db.write(signs_in) for _ in range(100)])
