"""Hash and check passwords in a bounded thread pool, outside the event loop.

argon2id with 19 MiB, t=2, p=1, the minimum of OWASP's password storage sheet: 16 ms instead of the 100 ms of the
library's defaults, so that a flood of sign-ins slows down those who cause it and not everybody. Parameters are part of
the stored hash. App passwords are random, so they are hashed as the reference server does: scrypt (N 16384, r 8, p 1)
with a salt derived from the DID, which lets the row be found by its hash.

Passwords imported from a reference server are scrypt hashes as well. They are accepted, and replaced by argon2id at the
next sign-in, as hashes with older parameters are.
"""

import asyncio
import hashlib
import hmac
import re
from concurrent.futures import ThreadPoolExecutor

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from at_protocol.syntax.did import Did
from aurora_locus.i18n.sentences import said
from groundwork.errors import InvalidInput

# New passwords stay below the length limit of the check, so that none locks its owner out.
MIN_LENGTH = 8
MAX_NEW_LENGTH = 256
MAX_CHECKED_LENGTH = 512

# The reference server's: a salt of 16 bytes and a hash of 64, in hexadecimal.
_OF_REFERENCE = re.compile(r"(?P<salt>[0-9a-f]{32}):[0-9a-f]{128}")


def require_acceptable(password: str) -> None:
    """Reject a new password that is too short to be safe or too long to be checked. Raises InvalidInput."""
    if len(password) < MIN_LENGTH:
        raise InvalidInput(
            "password",
            said("Choose a password of at least %(min_length)s characters.", min_length=MIN_LENGTH),
            name="InvalidPassword",
        )
    if len(password) > MAX_NEW_LENGTH:
        raise InvalidInput(
            "password",
            said("A password has at most %(max_new_length)s characters.", max_new_length=MAX_NEW_LENGTH),
            name="InvalidPassword",
        )


class Passwords:
    """The bounded pool. Close it when the server stops."""

    def __init__(self, *, threads: int = 2, memory_kib: int = 19 * 1024, passes: int = 2) -> None:
        self._hasher = PasswordHasher(time_cost=passes, memory_cost=memory_kib, parallelism=1)
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="argon2")
        # Hash compared for unknown accounts: computed at start, so that its parameters are today's.
        self._nobodys = self._hasher.hash("the password of nobody")

    async def hash(self, password: str) -> str:
        """The encoded hash of a new password."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, self._hasher.hash, password)

    async def check(self, stored: str | None, password: str) -> bool:
        """Whether the password is right. ``None`` (no such account) costs as much and is always False."""
        if len(password) > MAX_CHECKED_LENGTH:
            return False
        loop = asyncio.get_running_loop()
        fits = await loop.run_in_executor(self._pool, self._verify, stored or self._nobodys, password)
        return fits and stored is not None

    def is_outdated(self, stored: str) -> bool:
        """Whether a matching hash should be replaced by one with today's parameters."""
        try:
            return _OF_REFERENCE.fullmatch(stored) is not None or self._hasher.check_needs_rehash(stored)
        except InvalidHashError:
            return False

    async def hash_app_password(self, did: Did, password: str) -> str:
        """``salt:hash`` in hexadecimal; the same for the same account and password."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, _of_app, did, password)

    def close(self) -> None:
        """Wait for running hashes."""
        self._pool.shutdown()

    def _verify(self, stored: str, password: str) -> bool:
        of_reference = _OF_REFERENCE.fullmatch(stored)
        if of_reference is not None:
            return hmac.compare_digest(_scrypt(password, of_reference["salt"]), stored)
        try:
            return self._hasher.verify(stored, password)
        except (VerificationError, InvalidHashError):
            return False


def _of_app(did: Did, password: str) -> str:
    return _scrypt(password, hashlib.sha256(did.encode()).digest()[:16].hex())


def _scrypt(password: str, salt: str) -> str:
    # The reference server gives scrypt the salt as text, not as the bytes that the text encodes.
    hashed = hashlib.scrypt(password.encode(), salt=salt.encode(), n=16384, r=8, p=1, dklen=64, maxmem=64 << 20)
    return f"{salt}:{hashed.hex()}"
