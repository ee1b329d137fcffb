"""Passkeys (Web Authentication level 2): created and used in the browser, verified here.

The device must verify its user, so a passkey counts as two factors and can replace the password. Attestation, which
proves the make of the device, is not requested.

A challenge is random, signed by this server, and valid for five minutes and one answer. It contains its time and a
signature, so only answered challenges need to be stored.
"""

import hmac
import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from urllib.parse import urlsplit

import webauthn
from cryptography.exceptions import UnsupportedAlgorithm
from webauthn.helpers import base64url_to_bytes, parse_authentication_credential_json
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from at_protocol.syntax.did import Did
from aurora_locus.accounts.second_factors.model import FactorKeys, Passkey
from aurora_locus.accounts.single_line import is_single_line
from aurora_locus.i18n.sentences import gettext_noop, localizable
from groundwork.clock import MINUTE, Instant
from groundwork.database.transaction import Reader, Row, Writer
from groundwork.errors import InvalidInput

LIFETIME = 5 * MINUTE

_RANDOM_BYTES = 16
_TIME_BYTES = 8
_MAC_BYTES = 16
_LENGTH = _RANDOM_BYTES + _TIME_BYTES + _MAC_BYTES

_SPEND = """
    insert into spent_challenges (challenge_hash, expires_at) values (:challenge_hash, :expires_at)
    on conflict (challenge_hash) do nothing
"""
_SWEEP = "delete from spent_challenges where expires_at <= :now"
MAX_PASSKEYS = 20
MAX_NAME_LENGTH = 60
# A device's response has about 1,000 characters.
_MAX_ANSWER = 20_000
# What webauthn and the packages below it raise for malformed responses, found with random ones.
_MALFORMED = (
    WebAuthnException,
    UnsupportedAlgorithm,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    ArithmeticError,
    RecursionError,
)

_COLUMNS = "credential_id, public_key, sign_count, name, created_at, used_at"
_OF_ACCOUNT = f"select {_COLUMNS} from passkeys where did = :did order by created_at, credential_id"
_FIND = f"select did, {_COLUMNS} from passkeys where credential_id = :credential_id"
_COUNT = "select count(*) from passkeys where did = :did"
_INSERT = """
    insert into passkeys (credential_id, did, public_key, sign_count, name, created_at)
    values (:credential_id, :did, :public_key, :sign_count, :name, :now)
    on conflict (credential_id) do nothing
"""
_NOTE_USE = "update passkeys set sign_count = :sign_count, used_at = :now where credential_id = :credential_id"
_REMOVE = "delete from passkeys where did = :did and credential_id = :credential_id"


def new_challenge(keys: FactorKeys, browser_id: str, now: Instant) -> bytes:
    """Make a new challenge that only this browser can answer."""
    head = secrets.token_bytes(_RANDOM_BYTES) + (now + LIFETIME).to_bytes(_TIME_BYTES, "big")
    return head + _mac(keys, browser_id, head)


def spend(w: Writer, keys: FactorKeys, browser_id: str, challenge: bytes) -> bool:
    """Mark a challenge as answered. Return False unless this server made it for this browser, and it has neither
    expired nor been answered before.
    """
    head, mac = challenge[:-_MAC_BYTES], challenge[-_MAC_BYTES:]
    if len(challenge) != _LENGTH or not hmac.compare_digest(mac, _mac(keys, browser_id, head)):
        return False
    expires_at = int.from_bytes(head[_RANDOM_BYTES:], "big")
    if expires_at <= w.now:
        return False
    return w.execute(_SPEND, challenge_hash=sha256(challenge).digest(), expires_at=expires_at) == 1


def sweep(w: Writer) -> int:
    """Delete answered challenges that have expired and return how many."""
    return w.execute(_SWEEP, now=w.now)


def _mac(keys: FactorKeys, browser_id: str, head: bytes) -> bytes:
    return hmac.digest(keys.codes, b"challenge\n" + browser_id.encode() + b"\n" + head, sha256)[:_MAC_BYTES]


@dataclass(frozen=True, slots=True, kw_only=True)
class PasskeyContext:
    """The relying party and the browser for which passkeys are created and verified."""

    keys: FactorKeys
    url: str
    name: str
    browser_id: str

    @property
    def id(self) -> str:
        """The relying party's id: this server's host name."""
        return urlsplit(self.url).hostname or ""


async def of_account(reader: Reader, did: Did) -> list[Passkey]:
    """Return the passkeys of an account, oldest first."""
    return [_to_passkey(row) for row in await reader.fetch(_OF_ACCOUNT, did=did)]


def creation_options(
    context: PasskeyContext, did: Did, handle: str, registered: Sequence[Passkey], now: Instant
) -> str:
    """Return the options for ``navigator.credentials.create`` as JSON. Devices that already hold one of the
    ``registered`` passkeys are excluded.
    """
    return webauthn.options_to_json(
        webauthn.generate_registration_options(
            rp_id=context.id,
            rp_name=context.name,
            user_id=did.encode(),
            user_name=handle,
            user_display_name=f"@{handle}",
            challenge=new_challenge(context.keys, context.browser_id, now),
            authenticator_selection=AuthenticatorSelectionCriteria(
                resident_key=ResidentKeyRequirement.PREFERRED, user_verification=UserVerificationRequirement.REQUIRED
            ),
            exclude_credentials=[PublicKeyCredentialDescriptor(id=one.credential_id) for one in registered],
        )
    )


def request_options(context: PasskeyContext, registered: Sequence[Passkey], now: Instant) -> str:
    """Return the options for ``navigator.credentials.get`` as JSON. If ``registered`` is empty, the person may choose
    any passkey.
    """
    return webauthn.options_to_json(
        webauthn.generate_authentication_options(
            rp_id=context.id,
            challenge=new_challenge(context.keys, context.browser_id, now),
            allow_credentials=[PublicKeyCredentialDescriptor(id=one.credential_id) for one in registered],
            user_verification=UserVerificationRequirement.REQUIRED,
        )
    )


def add(w: Writer, context: PasskeyContext, did: Did, passkey_response: str, name: str) -> None:
    """Verify the device's response and store the new passkey. Raises InvalidInput if the response is invalid or the
    account has too many passkeys.
    """
    name = " ".join(name.split())[:MAX_NAME_LENGTH]
    if not name or not is_single_line(name):
        raise InvalidInput(
            "name",
            localizable(
                "Give the passkey a name of at most %(max_name_length)s printable characters.",
                max_name_length=MAX_NAME_LENGTH,
            ),
        )
    count = w.fetch_one(_COUNT, did=did)
    if count is not None and count[0] >= MAX_PASSKEYS:
        raise InvalidInput(
            "name",
            localizable(
                "An account can have up to %(max_passkeys)s passkeys. Remove one first.", max_passkeys=MAX_PASSKEYS
            ),
        )
    challenge = _challenge_in(passkey_response)
    if challenge is None or not spend(w, context.keys, context.browser_id, challenge):
        raise _unusable("passkey")
    try:
        verified = webauthn.verify_registration_response(
            credential=passkey_response,
            expected_challenge=challenge,
            expected_rp_id=context.id,
            expected_origin=context.url,
            require_user_verification=True,
        )
    except _MALFORMED as wrong:
        raise _unusable("passkey") from wrong
    inserted = w.execute(
        _INSERT,
        credential_id=verified.credential_id,
        did=did,
        public_key=verified.credential_public_key,
        sign_count=verified.sign_count,
        name=name,
        now=w.now,
    )
    if inserted != 1:
        raise InvalidInput("passkey", gettext_noop("You’ve already added this passkey."))


def take(w: Writer, context: PasskeyContext, passkey_response: str, did: Did | None = None) -> Did | None:
    """Verify a device's response and return the account that it signs in. Return None if it is invalid or not for
    ``did``.

    The challenge is used up in any case. A device with a counter must send a greater number than the last time;
    otherwise it was cloned (section 6.1.1).
    """
    challenge = _challenge_in(passkey_response)
    if challenge is None or not spend(w, context.keys, context.browser_id, challenge):
        return None
    try:
        credential_id = parse_authentication_credential_json(passkey_response).raw_id
        row = w.fetch_one(_FIND, credential_id=credential_id)
        if row is None or did not in (None, row["did"]):
            return None
        passkey = _to_passkey(row)
        verified = webauthn.verify_authentication_response(
            credential=passkey_response,
            expected_challenge=challenge,
            expected_rp_id=context.id,
            expected_origin=context.url,
            credential_public_key=passkey.public_key,
            credential_current_sign_count=passkey.sign_count,
            require_user_verification=True,
        )
    except _MALFORMED:
        return None
    w.execute(_NOTE_USE, credential_id=credential_id, sign_count=verified.new_sign_count, now=w.now)
    return Did(row["did"])


def remove(w: Writer, did: Did, credential_id: bytes) -> bool:
    """Delete a passkey. Return False if the account has none with this id."""
    return w.execute(_REMOVE, did=did, credential_id=credential_id) == 1


def _challenge_in(passkey_response: str) -> bytes | None:
    """Return the challenge in a response. It is not trusted yet; the signature is verified later."""
    if len(passkey_response) > _MAX_ANSWER:
        return None
    try:
        client_data = json.loads(base64url_to_bytes(json.loads(passkey_response)["response"]["clientDataJSON"]))
        return base64url_to_bytes(client_data["challenge"])
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def _unusable(field: str) -> InvalidInput:
    return InvalidInput(field, gettext_noop("We couldn’t add the passkey. Try again, or use another device."))


def _to_passkey(row: Row) -> Passkey:
    used_at = row["used_at"]
    return Passkey(
        bytes(row["credential_id"]),
        bytes(row["public_key"]),
        int(row["sign_count"]),
        row["name"],
        Instant(row["created_at"]),
        None if used_at is None else Instant(used_at),
    )
