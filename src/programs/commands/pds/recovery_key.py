"""``openmeet pds recovery-key``: make a recovery key on your own machine, or show its public part."""

import secrets
from pathlib import Path
from typing import Annotated

import typer

from at_protocol.crypto.did_key import format_did_key
from at_protocol.crypto.p256 import P256PrivateKey
from groundwork.errors import Refused
from programs import recovery_file
from programs.command_line import AsJson, print_json, role, say

app = role()

File = Annotated[Path, typer.Argument(dir_okay=False, help="File of the key; created if it does not exist.")]
Whose = Annotated[str, typer.Option("--for", help="The identity (did:plc:…) that the key is for, noted in the file.")]
Show = Annotated[bool, typer.Option("--show", help="Create no key; show the public part of the key in the file.")]


@app.command()
def main(file: File, whose: Whose = "", show: Show = False, as_json: AsJson = False) -> None:
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
