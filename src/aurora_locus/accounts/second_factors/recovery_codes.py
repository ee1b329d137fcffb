"""Recovery codes for a lost device: ten codes, shown once, each valid once.

They have 50 random bits, few enough to try them all against a copy of the database, so the hash uses a secret key.
"""

import hmac
import secrets
from hashlib import sha256

from at_protocol.syntax.did import Did
from aurora_locus.accounts.second_factors.model import FactorKeys
from groundwork.database.transaction import Writer

COUNT = 10

# RFC 4648 base32 in lower case: it has no digits that look like letters.
_ALPHABET = "abcdefghijklmnopqrstuvwxyz234567"
_LETTERS = 10

_INSERT = "insert into recovery_codes (did, code_hash) values (:did, :code_hash)"
_TAKE = "delete from recovery_codes where did = :did and code_hash = :code_hash"
_REMOVE = "delete from recovery_codes where did = :did"


def renew(w: Writer, keys: FactorKeys, did: Did) -> list[str]:
    """Replace the account's recovery codes with ten new ones and return them in clear text, which cannot be shown
    again.
    """
    codes = [_new_code() for _ in range(COUNT)]
    w.execute(_REMOVE, did=did)
    w.execute_many(_INSERT, [{"did": did, "code_hash": _hash(keys, did, code)} for code in codes])
    return codes


def take(w: Writer, keys: FactorKeys, did: Did, code: str) -> bool:
    """Use up a recovery code. Return False if there is no such code. Case, spaces and the hyphen are ignored."""
    return w.execute(_TAKE, did=did, code_hash=_hash(keys, did, code)) == 1


def remove(w: Writer, did: Did) -> None:
    """Delete an account's recovery codes."""
    w.execute(_REMOVE, did=did)


def _new_code() -> str:
    letters = "".join(secrets.choice(_ALPHABET) for _ in range(_LETTERS))
    return f"{letters[:5]}-{letters[5:]}"


def _hash(keys: FactorKeys, did: Did, text: str) -> bytes:
    code = "".join(char for char in text.lower() if char.isalnum())
    return hmac.digest(keys.codes, f"recovery\n{did}\n{code}".encode(errors="replace"), sha256)
