"""Requests about identities in the directory: operations that are asked for, signed and submitted, right and wrong."""

import secrets
from dataclasses import replace
from typing import Any

from at_protocol.crypto.did_key import format_did_key
from at_protocol.crypto.k256 import K256PrivateKey
from at_protocol.identity import plc_operation
from tests.interop.parity.sides import Account, Side, bearer

_IDENTITY = "com.atproto.identity"
_SIGN, _SUBMIT = f"{_IDENTITY}.signPlcOperation", f"{_IDENTITY}.submitPlcOperation"
_REQUEST, _RECOMMENDED = f"{_IDENTITY}.requestPlcOperationSignature", f"{_IDENTITY}.getRecommendedDidCredentials"
_ELSEWHERE = {"type": "AtprotoPersonalDataServer", "endpoint": "https://elsewhere.example.org"}
_OTHER_KEY = "did:key:zQ3shunBKsXixLxKtC5qeSG9E4J5RkGN57im31pcTzbNQnm5w"


def _changes(right: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Changes of an operation, each wrong or unusual in one way."""
    keys, services, methods = right["rotationKeys"], right["services"], right["verificationMethods"]
    return {
        "no rotation keys": {"rotationKeys": []},
        "other rotation keys": {"rotationKeys": [_OTHER_KEY]},
        "a rotation key that is none": {"rotationKeys": [*keys, "nonsense"]},
        "a rotation key twice": {"rotationKeys": [*keys, *keys]},
        "six rotation keys": {"rotationKeys": [*keys, *(_new_key() for _ in range(5))]},
        "eleven rotation keys": {"rotationKeys": [*keys, *(_new_key() for _ in range(10))]},
        "rotation keys that are a text": {"rotationKeys": keys[0]},
        "a rotation key that is a number": {"rotationKeys": [*keys, 5]},
        "no names": {"alsoKnownAs": []},
        "another name": {"alsoKnownAs": ["at://another.test"]},
        "another name behind": {"alsoKnownAs": [*right["alsoKnownAs"], "https://example.org"]},
        "another name before": {"alsoKnownAs": ["at://another.test", *right["alsoKnownAs"]]},
        "a name twice": {"alsoKnownAs": [*right["alsoKnownAs"], *right["alsoKnownAs"]]},
        "a name that is none": {"alsoKnownAs": [*right["alsoKnownAs"], "not a name"]},
        "a long name": {"alsoKnownAs": [*right["alsoKnownAs"], "at://" + "a" * 300]},
        "many names": {"alsoKnownAs": [*right["alsoKnownAs"], *(f"at://n{each}.test" for each in range(20))]},
        "no services": {"services": {}},
        "another server": {"services": {"atproto_pds": _ELSEWHERE}},
        "a server of another type": {"services": {"atproto_pds": {**services["atproto_pds"], "type": "Other"}}},
        "a server with a slash": {
            "services": {
                "atproto_pds": {**services["atproto_pds"], "endpoint": services["atproto_pds"]["endpoint"] + "/"}
            }
        },
        "a server that is a text": {"services": {"atproto_pds": "https://example.org"}},
        "a server without a type": {"services": {"atproto_pds": {"endpoint": services["atproto_pds"]["endpoint"]}}},
        "a service more": {"services": {**services, "bsky_fg": {"type": "Feeds", "endpoint": "https://example.org"}}},
        "services that are a list": {"services": [services]},
        "no methods": {"verificationMethods": {}},
        "another key": {"verificationMethods": {"atproto": _OTHER_KEY}},
        "a key that is none": {"verificationMethods": {**methods, "atproto": "nonsense"}},
        "a key that is a number": {"verificationMethods": {**methods, "atproto": 5}},
        "a method more": {"verificationMethods": {**methods, "atproto_label": _OTHER_KEY}},
        "a field more": {"more": True},
    }


def _new_key() -> str:
    return format_did_key(K256PrivateKey.from_random(secrets.token_bytes(48)).public)


async def signatures(side: Side) -> None:
    """Operations that the server signs, with a code for each."""
    sue, app = await side.person("sue")
    right = await side.get("the credentials", _RECOMMENDED, headers=sue.access)
    await side.get("the credentials by an app", _RECOMMENDED, headers=app.access)
    await side.post("a code that nobody needs", _REQUEST, {"some": "thing"}, sue.access)
    await side.post("without a code", _SIGN, right, sue.access)
    for label, change in {"nothing": {}, "everything as it is": right, **_changes(right)}.items():
        code = await side.mailed_code(sue, _REQUEST)
        await side.post(f"signing {label}", _SIGN, {"token": code, **change}, sue.access)
    code = await side.mailed_code(sue, _REQUEST)
    for label, form in {
        "in small letters": code.lower(),
        "with a space": f" {code}",
        "of another purpose": "AAAAA-BBBBB",
    }.items():
        await side.post(f"a code {label}", _SIGN, {"token": form, **right}, sue.access)
    second = await side.mailed_code(sue, _REQUEST)
    await side.post("the code before", _SIGN, {"token": code, **right}, sue.access)
    await side.post("the code by somebody else", _SIGN, {"token": second}, (await side.person("carol"))[0].access)
    await side.post("the code", _SIGN, {"token": second}, sue.access)
    await side.post("the code again", _SIGN, {"token": second}, sue.access)


async def submissions(side: Side) -> None:
    """Operations that are submitted: changed after they were signed, signed by others, and of other kinds."""
    tom, app = await side.person("tom")
    right = await side.get("the credentials", _RECOMMENDED, headers=tom.access)
    signed = await _signed(side, tom, right)
    for label, operation in {
        "nothing": {},
        "null": None,
        "a list": [],
        "a text": "plc_operation",
        "a tombstone": {"type": "plc_tombstone", "prev": signed["prev"], "sig": signed["sig"]},
        "an operation of the old kind": {
            "type": "create",
            "signingKey": right["verificationMethods"]["atproto"],
            "recoveryKey": right["rotationKeys"][0],
            "handle": tom.handle,
            "service": right["services"]["atproto_pds"]["endpoint"],
            "prev": None,
            "sig": signed["sig"],
        },
        "an unknown type": {**signed, "type": "plc_other"},
        "no type": _without(signed, "type"),
        "no signature": _without(signed, "sig"),
        "an empty signature": {**signed, "sig": ""},
        "a signature that is none": {**signed, "sig": "not right at all!"},
        "a padded signature": {**signed, "sig": signed["sig"] + "=="},
        "a signature of something else": {**signed, "sig": "A" * 86},
        "no predecessor": _without(signed, "prev"),
        "null as predecessor": {**signed, "prev": None},
        "a predecessor that is none": {**signed, "prev": "nonsense"},
        "another predecessor": {**signed, "prev": "bafyreihffx5a2e7k5uwrmmgofbvzujc5cmw5h4espouwuxt3liqoflx3ee"},
        **{label: {**signed, **change} for label, change in _changes(right).items()},
    }.items():
        await side.post(f"submitting {label}", _SUBMIT, {"operation": operation}, tom.access)
    ann, _ = await side.person("carol")
    await side.post("submitting that of another account", _SUBMIT, {"operation": signed}, ann.access)
    await side.post("submitting it", _SUBMIT, {"operation": signed}, tom.access)
    await side.post("submitting it again", _SUBMIT, {"operation": signed}, tom.access)
    key = K256PrivateKey.from_random(secrets.token_bytes(48))
    owner = format_did_key(key.public)
    first = await _signed(side, tom, {"rotationKeys": [owner, *right["rotationKeys"]]})
    await side.post("submitting by an app", _SUBMIT, {"operation": first}, app.access)
    parsed = plc_operation.parse_operation(first)
    assert isinstance(parsed, plc_operation.PlcOperation)
    prev = str(plc_operation.cid_of(parsed))
    own = plc_operation.sign(replace(parsed, prev=prev, sig=None), key)
    await side.post(
        "submitting one signed by the owner", _SUBMIT, {"operation": plc_operation.to_json(own)}, tom.access
    )
    stranger = K256PrivateKey.from_random(secrets.token_bytes(48))
    foreign = plc_operation.sign(replace(parsed, prev=str(plc_operation.cid_of(own)), sig=None), stranger)
    await side.post(
        "submitting one signed by a stranger", _SUBMIT, {"operation": plc_operation.to_json(foreign)}, tom.access
    )
    await side.get("the credentials with a key of the owner", _RECOMMENDED, headers=tom.access)


async def _signed(side: Side, account: Account, change: dict[str, Any]) -> dict[str, Any]:
    code = await side.mailed_code(account, _REQUEST)
    made: dict[str, Any] = (await side.call(_SIGN, {"token": code, **change}, account.access))["operation"]
    return made


def _without(document: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in document.items() if key != name}


async def inactive(side: Side) -> None:
    """The same methods for accounts that are deactivated or taken down."""
    una, _ = await side.person("una")
    for how, act, undo in (
        ("deactivated", {"deactivated": {"applied": True}}, {"deactivated": {"applied": False}}),
        ("taken down", {"takedown": {"applied": True, "ref": "r"}}, {"takedown": {"applied": False}}),
    ):
        subject = {"$type": "com.atproto.admin.defs#repoRef", "did": una.did}
        await side.call("com.atproto.admin.updateSubjectStatus", {"subject": subject, **act}, side.admin)
        await side.get(f"the credentials, {how}", _RECOMMENDED, headers=una.access)
        await side.post(f"a code, {how}", _REQUEST, None, una.access)
        await side.post(f"signing, {how}", _SIGN, {"token": "AAAAA-BBBBB"}, una.access)
        await side.post(f"submitting, {how}", _SUBMIT, {"operation": {}}, una.access)
        await side.post(f"renaming, {how}", f"{_IDENTITY}.updateHandle", {"handle": "una-2.test"}, una.access)
        body = {"identifier": una.did, "password": una.password, "allowTakendown": True}
        opened = await side.post(f"signing in, {how}", "com.atproto.server.createSession", body)
        headers = bearer(opened["accessJwt"])
        await side.get(f"the credentials in a new session, {how}", _RECOMMENDED, headers=headers)
        code = await side.mailed_code(replace(una, access=headers), _REQUEST)
        await side.post(f"signing in a new session, {how}", _SIGN, {"token": code}, headers)
        await side.call("com.atproto.admin.updateSubjectStatus", {"subject": subject, **undo}, side.admin)


GROUPS = {
    "identities, signatures": signatures,
    "identities, submissions": submissions,
    "identities, inactive": inactive,
}
