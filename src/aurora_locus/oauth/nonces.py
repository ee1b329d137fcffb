"""DPoP nonces, derived from a secret and the current minute, so that every process can compute them and they survive
restarts (RFC 9449 section 8). A proof with such a nonce was made within the last minutes, even if the client's clock is
wrong.
"""

import hmac
from hashlib import sha256

from at_protocol.crypto import base64url
from groundwork.clock import MINUTE, Clock

SLOT = MINUTE


class DpopNonces:
    """Returns the newest nonce. The previous and the next one are accepted as well, because another process's clock may
    be ahead.
    """

    def __init__(self, secret: bytes, clock: Clock) -> None:
        self._secret = secret
        self._clock = clock
        self._slot = -1
        self._accepted: tuple[str, ...] = ()

    def newest(self) -> str:
        """The nonce that is sent with every response."""
        return self._now()[1]

    def accepts(self, nonce: str) -> bool:
        """Whether this server issued the nonce recently."""
        return nonce in self._now()  # nonces are public, so no constant-time comparison is needed

    def _now(self) -> tuple[str, ...]:
        slot = self._clock.now() // SLOT
        if slot != self._slot:
            self._accepted = tuple(self._of(each) for each in (slot - 1, slot, slot + 1))
            self._slot = slot
        return self._accepted

    def _of(self, slot: int) -> str:
        return base64url.encode(hmac.digest(self._secret, b"dpop nonce %d" % slot, sha256)[:24])
