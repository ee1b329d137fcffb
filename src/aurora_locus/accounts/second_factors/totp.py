"""Codes of authenticator apps (RFC 6238): six digits, thirty seconds, SHA-1, which is all that common apps know.

A code of the step before and of the one after is taken as well, for clocks that go wrong by half a minute (RFC 6238, section
5.2); none is taken twice, and none that is older than one that was taken.
"""

import hmac
import io

import pyotp
import segno

from at_protocol.syntax.did import Did
from aurora_locus.accounts.second_factors.model import FactorKeys
from groundwork.clock import SECOND, Instant
from groundwork.database.transaction import Reader, Writer

STEP_SECONDS = 30
_DIGITS = 6
_WINDOW = 1

_BEGIN = """
    insert into totp_secrets (did, sealed, last_step, confirmed_at, created_at) values (:did, :sealed, 0, null, :now)
    on conflict (did) do update set sealed = excluded.sealed, last_step = 0, created_at = excluded.created_at
     where totp_secrets.confirmed_at is null
"""
_FIND = "select sealed, last_step, confirmed_at from totp_secrets where did = :did"
_TAKE = """
    update totp_secrets set last_step = :step, confirmed_at = coalesce(confirmed_at, :now)
     where did = :did and last_step < :step
"""
_REMOVE = "delete from totp_secrets where did = :did"


def begin(w: Writer, keys: FactorKeys, did: Did) -> None:
    """Make a secret that counts once a code of it was typed. One that counts already stays."""
    sealed = keys.sealer.seal(pyotp.random_base32().encode("ascii"), purpose_of(did))
    w.execute(_BEGIN, did=did, sealed=sealed, now=w.now)


async def pending(reader: Reader, keys: FactorKeys, did: Did) -> str | None:
    """The secret (base32) that waits for its first code; None where there is none."""
    row = await reader.fetch_one(_FIND, did=did)
    return None if row is None or row["confirmed_at"] is not None else _secret(keys, did, row["sealed"])


def take(w: Writer, keys: FactorKeys, did: Did, typed: str, *, confirming: bool = False) -> bool:
    """Use up a code. ``confirming``: the first one of a new secret; otherwise only a secret that counts is asked."""
    row = w.fetch_one(_FIND, did=did)
    if row is None or (row["confirmed_at"] is None) != confirming:
        return False
    step = _step_of(_secret(keys, did, row["sealed"]), typed, w.now)
    # Of two that bring the same code at once, the statement lets one through.
    return step is not None and w.execute(_TAKE, did=did, step=step, now=w.now) == 1


def remove(w: Writer, did: Did) -> None:
    """No code is asked for any more."""
    w.execute(_REMOVE, did=did)


def address(secret: str, handle: str, issuer: str) -> str:
    """The ``otpauth:`` address that an app reads from the picture."""
    return pyotp.TOTP(secret).provisioning_uri(name=handle, issuer_name=issuer)


def picture(secret: str, handle: str, issuer: str) -> str:
    """The address as a QR code: SVG that stands in a page, without style of its own."""
    out = io.BytesIO()
    code = segno.make(address(secret, handle, issuer), micro=False)
    code.save(
        out, kind="svg", xmldecl=False, svgns=True, nl=False, omitsize=True, border=4, svgclass="qr", lineclass=None
    )
    return out.getvalue().decode("utf-8")


def _step_of(secret: str, typed: str, now: Instant) -> int | None:
    code = "".join(typed.split())
    if len(code) != _DIGITS or not (code.isascii() and code.isdigit()):
        return None
    current = now // SECOND // STEP_SECONDS
    generator = pyotp.TOTP(secret)
    found = None
    for step in range(current - _WINDOW, current + _WINDOW + 1):
        if hmac.compare_digest(generator.at(step * STEP_SECONDS), code):
            found = step
    return found


def _secret(keys: FactorKeys, did: Did, sealed: bytes) -> str:
    return keys.sealer.unseal(bytes(sealed), purpose_of(did)).decode("ascii")


def purpose_of(did: Did) -> str:
    """What the secret of an account is sealed for."""
    return f"aurora_locus/totp_secret/{did}"
