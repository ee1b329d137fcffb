"""Passkey challenges: random, signed by this server, and valid for five minutes and one answer.

A challenge contains its time and a signature, so only answered challenges need to be stored.
"""

import hmac
import secrets
from hashlib import sha256

from aurora_locus.accounts.second_factors.model import FactorKeys
from groundwork.clock import MINUTE, Instant
from groundwork.database.transaction import Writer

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
