"""Recovery key file: text that a person can read, print and type.

The account page makes the same file in the browser (``account_pages/static/recovery-key.js``).
"""

import re
from dataclasses import dataclass
from pathlib import Path

from at_protocol.crypto.did_key import PrivateKey, format_did_key
from at_protocol.crypto.private_multikey import format_private_multikey, parse_private_multikey
from at_protocol.failures import Malformed
from groundwork import private_file
from groundwork.errors import InvalidInput

MAX_BYTES = 16 * 1024

_LINE = re.compile(r"^\s*private key:\s*(\S+)\s*$", re.MULTILINE | re.IGNORECASE)
_IDENTITY = re.compile(r"^\s*identity:\s*(did:\S+)\s*$", re.MULTILINE | re.IGNORECASE)

_TEXT = """\
Recovery key of an AT Protocol identity

identity:    {identity}
public key:  {public}
private key: {private}

Anyone who has the private key can take over the identity, and its server cannot prevent that. Keep this
file offline, in more than one place, and give it to nobody. No server has a copy.

To move the account to another server, even if its current server is gone:
    openmeet pds recover --help
"""


@dataclass(frozen=True, slots=True)
class RecoveryKey:
    """A key and, if the file names it, its identity."""

    key: PrivateKey
    identity: str | None


def read(path: Path) -> RecoveryKey:
    """Read the key from a file, which may contain nothing but the key. Raises InvalidInput, without the file's content."""
    with path.open("rb") as file:
        text = file.read(MAX_BYTES).decode("utf-8", "replace")
    line = _LINE.search(text)
    identity = _IDENTITY.search(text)
    try:
        key = parse_private_multikey(line[1] if line else text.strip())
    except Malformed as error:
        raise InvalidInput("key-file", f"There is no recovery key in {path}: {error.why}.") from None
    return RecoveryKey(key, identity[1] if identity else None)


def write(path: Path, key: PrivateKey, identity: str) -> None:
    """Write a key to a new file that only its owner can read."""
    text = _TEXT.format(
        identity=identity or "(not said)", public=format_did_key(key.public), private=format_private_multikey(key)
    )
    private_file.write_once(path, text.encode())
