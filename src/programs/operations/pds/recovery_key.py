"""Make a recovery key on your own machine, or show its public part (``openmeet pds recovery-key``)."""

import secrets
from pathlib import Path

from at_protocol.crypto.did_key import format_did_key
from at_protocol.crypto.p256 import P256PrivateKey
from groundwork.errors import Refused
from programs import recovery_file
from programs.command_line import print_json, say


def make_or_show(file: Path, whose: str, *, show: bool, as_json: bool) -> None:
    """Create a key pair. The private key stays in the file; enter the public key on the recovery keys page."""
    if not show:
        if file.exists():
            raise Refused(f"{file} already exists; --show shows its public part.")
        recovery_file.write(file, P256PrivateKey.from_random(secrets.token_bytes(48)), whose)
    key_file_content = recovery_file.read(file)
    public = format_did_key(key_file_content.key.public)
    if as_json:
        print_json({"file": str(file), "public_key": public, "identity": key_file_content.identity})
        return
    say(public)
    if not show:
        say(f"The private key is in {file}: keep it offline, in more than one place.", err=True)
