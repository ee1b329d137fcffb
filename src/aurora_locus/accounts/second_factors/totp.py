"""Codes of authenticator apps (RFC 6238): six digits, thirty seconds, SHA-1, because common apps support nothing else.

Codes of the previous and the next step are accepted too, for clocks that are off by up to half a minute (RFC 6238,
section 5.2). A code is not accepted twice, nor if it is older than the last accepted one.
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
    """Store a new secret of an authenticator app, which is pending until its first code is entered. A confirmed secret is
    not replaced.
    """
    sealed_secret = keys.sealer.seal(pyotp.random_base32().encode("ascii"), purpose_of(did))
    w.execute(_BEGIN, did=did, sealed=sealed_secret, now=w.now)


async def pending(reader: Reader, keys: FactorKeys, did: Did) -> str | None:
    """Return the pending secret (base32), whose first code has not been entered yet; None if there is none."""
    row = await reader.fetch_one(_FIND, did=did)
    return None if row is None or row["confirmed_at"] is not None else _secret(keys, did, row["sealed"])


def use_code(w: Writer, keys: FactorKeys, did: Did, code: str, *, confirming: bool = False) -> bool:
    """Use up a code. Return False if it is wrong. With ``confirming``, it must be the first code of the pending secret."""
    row = w.fetch_one(_FIND, did=did)
    if row is None or (row["confirmed_at"] is None) != confirming:
        return False
    step = _step_of(_secret(keys, did, row["sealed"]), code, w.now)
    # If two requests present the same code at once, this statement accepts only one.
    return step is not None and w.execute(_TAKE, did=did, step=step, now=w.now) == 1


def remove(w: Writer, did: Did) -> None:
    """Remove the authenticator app from an account."""
    w.execute(_REMOVE, did=did)


def uri(secret: str, handle: str, issuer: str) -> str:
    """Return the ``otpauth:`` URI that an authenticator app reads from the QR code."""
    return pyotp.TOTP(secret).provisioning_uri(name=handle, issuer_name=issuer)


def qr_code(secret: str, handle: str, issuer: str) -> str:
    """Render the ``otpauth:`` URI as a QR code: SVG to embed in a page, without inline style."""
    out = io.BytesIO()
    code = segno.make(uri(secret, handle, issuer), micro=False)
    code.save(
        out, kind="svg", xmldecl=False, svgns=True, nl=False, omitsize=True, border=4, svgclass="qr", lineclass=None
    )
    return out.getvalue().decode("utf-8")


def _step_of(secret: str, text: str, now: Instant) -> int | None:
    code = "".join(text.split())
    if len(code) != _DIGITS or not (code.isascii() and code.isdigit()):
        return None
    current = now // SECOND // STEP_SECONDS
    generator = pyotp.TOTP(secret)
    matching_step = None
    for step in range(current - _WINDOW, current + _WINDOW + 1):
        if hmac.compare_digest(generator.at(step * STEP_SECONDS), code):
            matching_step = step
    return matching_step


def _secret(keys: FactorKeys, did: Did, sealed_secret: bytes) -> str:
    return keys.sealer.unseal(bytes(sealed_secret), purpose_of(did)).decode("ascii")


def purpose_of(did: Did) -> str:
    """The sealing purpose of an account's secret."""
    return f"aurora_locus/totp_secret/{did}"
