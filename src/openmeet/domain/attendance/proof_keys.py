"""Keys that sign proofs of attendance (ES256: RFC 7518 section 3.4), and the key set with which anybody verifies them.

They are separate from the keys of the OAuth client, which are deleted once no session uses them and sign for another
purpose (RFC 8725 section 3.12). A key signs for a year. Then its private half is erased and its public half is kept, so
that old proofs can still be verified. If somebody stole a key, an operator revokes it: nothing that it signed can be
verified any more, and everybody downloads new files.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from joserfc import jwt
from joserfc.jwk import ECKey

from groundwork.clock import DAY, Instant
from groundwork.database.resealing import SealedColumn
from groundwork.database.transaction import Database, Reader, Transaction
from groundwork.errors import Unavailable
from groundwork.sealing import CannotUnseal, Sealer
from groundwork.signing_key import SigningKey
from openmeet.domain.attendance.reasons import AttendanceReason

ALGORITHM: Final = "ES256"
# An explicit type, so that no other token of this site can pass for a proof (RFC 8725 section 3.11).
TOKEN_TYPE: Final = "attendance-proof+jwt"  # noqa: S105 - a media type
ROTATED_AFTER: Final = 365 * DAY
SEALED_KEY: Final = SealedColumn(
    "attendance_proof_keys", "key_id", "sealed", lambda key_id: f"openmeet/attendance_proof_key/{key_id}"
)

# Id, time of creation, and sealed private half of the key that signs.
_SigningRow = tuple[str, Instant, bytes]


def sealer_of(server_key: SigningKey) -> Sealer:
    """The sealer for the private halves."""
    return server_key.sealer(b"openmeet/attendance_proof_keys")


async def ensure_key(tx: Transaction, server_key: SigningKey) -> None:
    """Make the first key if there is none. Raises Unavailable if there is one that cannot be opened.

    Only the scheduler replaces keys. While the server's key is changed, web processes may still have the old list of
    keys, and would replace each other's.
    """
    row = await _signing_row(tx)
    if row is None:
        await _replace_key(tx, server_key)
    else:
        _require_opened(server_key, row)


async def rotate_when_due(db: Database, server_key: SigningKey) -> bool:
    """Replace a key that is a year old, or that none of our keys opens. The first one is made with the first proof.
    Returns whether a key was made.
    """
    async with db.transaction() as tx:
        row = await _signing_row(tx)
        if row is None or (row[1] > tx.now - ROTATED_AFTER and _opened(server_key, row) is not None):
            return False
        await _replace_key(tx, server_key)
    return True


async def _replace_key(tx: Transaction, server_key: SigningKey) -> None:
    made: ECKey = ECKey.generate_key("P-256")
    key_id = made.thumbprint()
    public = {**made.as_dict(private=False), "kid": key_id, "use": "sig", "alg": ALGORITHM}
    await tx.execute("update attendance_proof_keys set sealed = null where sealed is not null")
    # If somebody else has just made one, theirs is used.
    await tx.execute(
        "insert into attendance_proof_keys (key_id, public_key, sealed, created_at)"
        " values (:key_id, :public_key, :sealed, :now) on conflict do nothing",
        key_id=key_id,
        public_key=msgspec.json.encode(public).decode(),
        sealed=sealer_of(server_key).seal(made.as_der(private=True), SEALED_KEY.purpose(key_id)),
        now=tx.now,
    )


@dataclass(frozen=True, slots=True)
class ProofKey:
    """A key without its private half. It signed from ``created_at`` until ``replaced_at``; None: it signs now."""

    key_id: str
    public_key: dict[str, str]
    created_at: Instant
    replaced_at: Instant | None
    revoked_at: Instant | None


async def all_keys(reader: Reader) -> list[ProofKey]:
    """Every key that ever signed a proof, newest first."""
    rows = await reader.fetch(
        "select key_id, public_key, created_at, revoked_at from attendance_proof_keys"
        " order by created_at desc, sealed is null, key_id"
    )
    replaced_at = [None, *(Instant(row["created_at"]) for row in rows)]
    return [
        ProofKey(
            row["key_id"],
            msgspec.json.decode(row["public_key"]),
            Instant(row["created_at"]),
            until,
            None if row["revoked_at"] is None else Instant(row["revoked_at"]),
        )
        for row, until in zip(rows, replaced_at, strict=False)
    ]


async def revoke(tx: Transaction, server_key: SigningKey, stolen: ProofKey) -> None:
    """Revoke a key that somebody may have stolen, for good. If it signs now, it is replaced."""
    await tx.execute(
        "update attendance_proof_keys set revoked_at = :now where key_id = :key_id and revoked_at is null",
        key_id=stolen.key_id,
        now=tx.now,
    )
    if stolen.replaced_at is None:
        await _replace_key(tx, server_key)


async def revoked_files_until(reader: Reader, made_at: Instant) -> Instant | None:
    """The instant before which a signed file of this proof may have been signed with a revoked key, so that nobody can
    verify it. None if there is no such file. ``made_at``: when the proof was made.
    """
    ends = [
        one.replaced_at for one in await all_keys(reader) if one.revoked_at is not None and one.replaced_at is not None
    ]
    return max((end for end in ends if end > made_at), default=None)


async def sign(reader: Reader, server_key: SigningKey, claims: Mapping[str, Any]) -> str:
    """Sign these claims (RFC 7519), in the compact form. Raises Unavailable if the key cannot be opened, until the
    scheduler has replaced it.
    """
    key_id, private = _require_opened(server_key, await _signing_row(reader))
    header = {"alg": ALGORITHM, "typ": TOKEN_TYPE, "kid": key_id}
    return jwt.encode(header, dict(claims), private, algorithms=[ALGORITHM])


async def _signing_row(reader: Reader) -> _SigningRow | None:
    row = await reader.fetch_one(
        "select key_id, created_at, sealed from attendance_proof_keys where sealed is not null"
    )
    return None if row is None else (row["key_id"], Instant(row["created_at"]), bytes(row["sealed"]))


def _require_opened(server_key: SigningKey, row: _SigningRow | None) -> tuple[str, ECKey]:
    """The id and the private half. Raises Unavailable."""
    private = None if row is None else _opened(server_key, row)
    if row is None or private is None:
        raise Unavailable(AttendanceReason.PROOF_KEY_MISSING, after_seconds=3600.0)
    return row[0], private


def _opened(server_key: SigningKey, row: _SigningRow) -> ECKey | None:
    key_id, _, sealed = row
    try:
        return ECKey.import_key(sealer_of(server_key).unseal(sealed, SEALED_KEY.purpose(key_id)))
    except CannotUnseal:
        return None
