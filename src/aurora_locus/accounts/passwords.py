"""Hash and check passwords in a bounded thread pool, outside the event loop.

Passwords are hashed with argon2id (7 MiB, t=5, p=1). OWASP's password storage cheat sheet lists five combinations of
memory and passes as equally strong; this one takes the least processor time, because it touches the least memory (27 ms
instead of 37 for 19 MiB and t=2, and 4 ms instead of 11 in which the system maps the pages). The parameters are part of
the stored hash. App passwords are random, so they are hashed as in the reference server: scrypt (N 16384, r 8, p 1) with
a salt derived from the DID, which lets the row be found by its hash.

Passwords imported from a reference server are scrypt hashes too. They are accepted, and replaced by argon2id at the
next sign-in, like hashes with older parameters.
"""

import asyncio
import hashlib
import hmac
import re
from concurrent.futures import ThreadPoolExecutor

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from at_protocol.syntax.did import Did
from aurora_locus.i18n.sentences import localizable
from groundwork.errors import InvalidInput

# The maximum length of new passwords is below the maximum that the check accepts, so that no password can lock its
# owner out.
MIN_LENGTH = 8
MAX_NEW_LENGTH = 256
MAX_CHECKED_LENGTH = 512

# The reference server's format: a salt of 16 bytes and a hash of 64, in hexadecimal.
_OF_REFERENCE = re.compile(r"(?P<salt>[0-9a-f]{32}):[0-9a-f]{128}")


class Passwords:
    """The rules of new passwords, and the bounded thread pool. Close it when the server stops."""

    def __init__(
        self, *, min_length: int = MIN_LENGTH, threads: int = 2, memory_kib: int = 7 * 1024, passes: int = 5
    ) -> None:
        self.min_length = min_length
        self._hasher = PasswordHasher(time_cost=passes, memory_cost=memory_kib, parallelism=1)
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="argon2")
        # The hash that is checked for unknown accounts. It is computed at start, so that it has the current parameters.
        self._nobodys = self._hasher.hash("the password of nobody")

    def require_acceptable(self, password: str) -> None:
        """Reject a new password that is too short to be safe or too long to be checked. Raises InvalidInput."""
        if len(password) < self.min_length:
            raise InvalidInput(
                "password",
                localizable("Choose a password of at least %(min_length)s characters.", min_length=self.min_length),
                name="InvalidPassword",
            )
        if len(password) > MAX_NEW_LENGTH:
            raise InvalidInput(
                "password",
                localizable("A password can have up to %(max_new_length)s characters.", max_new_length=MAX_NEW_LENGTH),
                name="InvalidPassword",
            )

    async def hash(self, password: str) -> str:
        """Return the encoded hash of a new password."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, self._hasher.hash, password)

    async def check(self, stored_hash: str | None, password: str) -> bool:
        """Whether the password is right. If ``stored_hash`` is None (no such account), the check takes as
        long and returns False.
        """
        if len(password) > MAX_CHECKED_LENGTH:
            return False
        loop = asyncio.get_running_loop()
        fits = await loop.run_in_executor(self._pool, self._verify, stored_hash or self._nobodys, password)
        return fits and stored_hash is not None

    def is_outdated(self, stored_hash: str) -> bool:
        """Whether a matching hash should be replaced by one with the current parameters."""
        try:
            return _OF_REFERENCE.fullmatch(stored_hash) is not None or self._hasher.check_needs_rehash(stored_hash)
        except InvalidHashError:
            return False

    async def hash_app_password(self, did: Did, password: str) -> str:
        """Return ``salt:hash`` in hexadecimal. It is always the same for the same account and password."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, _of_app, did, password)

    def close(self) -> None:
        """Wait for the hashes that are being computed."""
        self._pool.shutdown()

    def _verify(self, stored_hash: str, password: str) -> bool:
        of_reference = _OF_REFERENCE.fullmatch(stored_hash)
        if of_reference is not None:
            return hmac.compare_digest(_scrypt(password, of_reference["salt"]), stored_hash)
        try:
            return self._hasher.verify(stored_hash, password)
        except (VerificationError, InvalidHashError):
            return False


def _of_app(did: Did, password: str) -> str:
    return _scrypt(password, hashlib.sha256(did.encode()).digest()[:16].hex())


def _scrypt(password: str, salt: str) -> str:
    # The reference server passes the salt to scrypt as text, not as the bytes that the text encodes.
    hashed = hashlib.scrypt(password.encode(), salt=salt.encode(), n=16384, r=8, p=1, dklen=64, maxmem=64 << 20)
    return f"{salt}:{hashed.hex()}"
