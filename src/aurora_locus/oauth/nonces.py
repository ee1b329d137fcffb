"""Nonces for proofs: made from a secret and the minute, so that every process and every restart knows them (RFC 9449
section 8). A proof with a nonce of ours was made within the last minutes, whatever its client's clock says.
"""

import hmac
from hashlib import sha256

from at_protocol.crypto import base64url
from groundwork.clock import MINUTE, Clock

SLOT = MINUTE


class DpopNonces:
    """The newest is handed out; the one before and the next (another process's clock may be ahead) are taken as well."""

    def __init__(self, secret: bytes, clock: Clock) -> None:
        self._secret = secret
        self._clock = clock
        self._slot = -1
        self._accepted: tuple[str, ...] = ()

    def newest(self) -> str:
        """What goes on every answer."""
        return self._now()[1]

    def accepts(self, nonce: str) -> bool:
        """Whether a proof with this one was made just now."""
        return nonce in self._now()  # everybody is told them: nothing to compare in constant time

    def _now(self) -> tuple[str, ...]:
        slot = self._clock.now() // SLOT
        if slot != self._slot:
            self._accepted = tuple(self._of(each) for each in (slot - 1, slot, slot + 1))
            self._slot = slot
        return self._accepted

    def _of(self, slot: int) -> str:
        return base64url.encode(hmac.digest(self._secret, b"dpop nonce %d" % slot, sha256)[:24])
