"""Change an account's server in the directory with a recovery key, and nothing else (``openmeet pds repoint``)."""

from pathlib import Path

import typer

from at_protocol.crypto.did_key import parse_did_key
from at_protocol.failures import Malformed
from at_protocol.identity import plc_operation
from programs.command_line import print_json, say, with_count
from programs.operations.pds.recovery_access import run_with_key
from programs.recovery import RecoveryContext, basis, point_at


def repoint(
    identity: str,
    key_file: Path,
    to: str,
    signing_key: str,
    rotation_key: list[str],
    handle: str,
    plc_url: str,
    *,
    dry_run: bool,
    dev: bool,
    as_json: bool,
) -> None:
    """Sign the operation that names the server and its keys, and send it to the directory.

    The recovery key stays the first rotation key. A server lists its keys in getRecommendedDidCredentials.
    """
    for name, text in (("--signing-key", signing_key), *(("--rotation-key", key) for key in rotation_key)):
        try:
            parse_did_key(text)
        except Malformed as error:
            raise typer.BadParameter(f"{text}: {error.why}", param_hint=name) from None

    async def work(context: RecoveryContext) -> None:
        operation = await point_at(
            context,
            service=to.rstrip("/"),
            signing_key=signing_key,
            rotation_keys=tuple(rotation_key),
            also_known_as=(f"at://{handle.removeprefix('@').lower()}",) if handle else (),
        )
        if dry_run:
            print_json(plc_operation.to_json(operation))
            return
        overrules = (await basis(context)).overrules
        await context.directory.submit(context.did, operation)
        cid = str(plc_operation.cid_of(operation))
        if as_json:
            print_json({"did": context.did, "operation": cid, "overrules": overrules})
            return
        say(f"{context.did} is at {to.rstrip('/')} (operation {cid})")
        if overrules:
            say(f"Overridden: {with_count(overrules, 'newer operation')} that did not list the key.")

    run_with_key(identity, key_file, plc_url, work, dev=dev)
