"""What may be signed and submitted for an identity hosted here, and every refusal that protects the hosting."""

from collections.abc import Callable
from typing import Any

import pytest

from at_protocol.crypto.did_key import format_did_key
from at_protocol.crypto.k256 import K256PrivateKey
from at_protocol.identity import plc_operation
from at_protocol.identity.plc_operation import PlcOperation, Tombstone
from at_protocol.syntax.handle import Handle
from aurora_locus.identity.plc_requests import (
    Hosting,
    parse_submitted,
    recommended,
    require_hosting_kept,
    signed_change,
)
from groundwork.errors import InvalidInput, Refused

ROTATION, SIGNING, RECOVERY = (K256PrivateKey.from_random(bytes([number]) * 64) for number in (1, 2, 3))
PDS = "https://pds.example"
HERE = Hosting(ROTATION.public, SIGNING.public, Handle("ana.example.org"), PDS)
RECOVERY_TEXT = format_did_key(RECOVERY.public)

GENESIS = plc_operation.sign(
    plc_operation.account_operation(
        rotation_keys=(ROTATION.public,), signing_key=SIGNING.public, handle=HERE.handle, pds=PDS
    ),
    ROTATION,
)
CID = plc_operation.cid_of(GENESIS)


def change(**wishes: Any) -> PlcOperation:
    return signed_change(GENESIS, CID, wishes, ROTATION)


def test_recommended_credentials_may_be_submitted() -> None:
    require_hosting_kept(change(**recommended(HERE, is_plc=True)), HERE)
    assert "rotationKeys" not in recommended(HERE, is_plc=False)


def test_a_change_keeps_the_fields_that_it_does_not_name() -> None:
    keys = [RECOVERY_TEXT, *GENESIS.rotation_keys]
    made = change(rotationKeys=keys)
    assert made.prev == str(CID)
    assert made.rotation_keys == tuple(keys)
    assert (made.also_known_as, made.services) == (GENESIS.also_known_as, GENESIS.services)
    assert plc_operation.signer_of(made, GENESIS.rotation_keys) == 0
    require_hosting_kept(made, HERE)


def test_moving_away_is_signed() -> None:
    """Moving away is signed, because the e-mailed token authorizes it, but this server does not submit the operation."""
    away = {"atproto_pds": {"type": "AtprotoPersonalDataServer", "endpoint": "https://other.example"}}
    made = change(services=away)
    with pytest.raises(Refused, match="its server is"):
        require_hosting_kept(made, HERE)


@pytest.mark.parametrize(
    "wishes",
    [
        {"rotationKeys": []},
        {"rotationKeys": ["did:key:nonsense"]},
        {"rotationKeys": [RECOVERY_TEXT, RECOVERY_TEXT]},
        {"alsoKnownAs": ["at://" + "a" * 300]},
        {"services": {"atproto_pds": "https://pds.example"}},
        {"services": []},
        {"verificationMethods": {"atproto": 5}},
        {"verificationMethods": {"atproto": "no key"}},
        {"alsoKnownAs": [f"at://{number}.example" for number in range(50)]},
    ],
)
def test_operation_that_the_directory_would_refuse_is_not_signed(wishes: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput, match="directory would not accept"):
        change(**wishes)


def test_identity_that_is_not_ours_to_sign_for() -> None:
    with pytest.raises(Refused, match="rotation key"):
        signed_change(GENESIS, CID, {}, RECOVERY)


def _services(**fields: str) -> dict[str, Any]:
    return {"services": {"atproto_pds": {"type": "AtprotoPersonalDataServer", "endpoint": PDS, **fields}}}


@pytest.mark.parametrize(
    ("wishes", "why"),
    [
        ({"rotationKeys": [RECOVERY_TEXT]}, "rotation key is not among"),
        (_services(endpoint="https://other.example"), "its server is https://other.example"),
        (_services(type="Something"), "no service atproto_pds of type"),
        ({"services": {}}, "no service atproto_pds"),
        ({"verificationMethods": {"atproto": RECOVERY_TEXT}}, "signing key"),
        ({"verificationMethods": {}}, "signing key"),
        ({"alsoKnownAs": ["at://other.example.org"]}, "alsoKnownAs"),
        ({"alsoKnownAs": ["at://other.example.org", f"at://{HERE.handle}"]}, "alsoKnownAs"),
        ({"alsoKnownAs": []}, "alsoKnownAs"),
    ],
)
def test_operations_that_would_break_the_account(wishes: dict[str, Any], why: str) -> None:
    with pytest.raises(Refused, match=why):
        require_hosting_kept(change(**wishes), HERE)


def test_all_problems_are_reported_at_once() -> None:
    made = change(rotationKeys=[RECOVERY_TEXT], alsoKnownAs=[], services={}, verificationMethods={})
    with pytest.raises(Refused) as refused:
        require_hosting_kept(made, HERE)
    assert refused.value.why.count(";") == 3


def test_trailing_slash_of_the_server_url_is_ignored() -> None:
    require_hosting_kept(change(**_services(endpoint=PDS + "/")), HERE)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda _: [],
        lambda document: {**document, "more": 1},
        lambda document: {name: value for name, value in document.items() if name != "sig"},
        lambda document: {**document, "sig": 5},
        lambda document: {**document, "rotationKeys": "key"},
        lambda document: {**document, "type": "else"},
        lambda document: {**document, "alsoKnownAs": ["at://" + "a" * 5000]},
    ],
)
def test_malformed_operations_are_refused(spoil: Callable[[dict[str, Any]], object]) -> None:
    with pytest.raises(InvalidInput, match="not a did:plc operation"):
        parse_submitted(spoil(plc_operation.to_json(GENESIS)))


def test_identity_is_not_ended_through_this_server() -> None:
    tombstone = plc_operation.sign(Tombstone(str(CID)), ROTATION)
    with pytest.raises(Refused, match="Tombstones are not accepted"):
        parse_submitted(plc_operation.to_json(tombstone))
