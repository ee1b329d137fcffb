"""``openmeet pds repoint``: change an account's server in the directory with a recovery key, and nothing else."""

from typing import Annotated

import typer

from at_protocol.crypto.did_key import parse_did_key
from at_protocol.failures import Malformed
from at_protocol.identity import plc_operation
from programs.command_line import AsJson, print_json, role, say, with_count
from programs.commands.pds.recovery_options import Development, Directory, Identity, KeyFile, Server, run_with_key
from programs.recovery import RecoveryContext, basis, point_at

app = role()

SigningKey = Annotated[str, typer.Option(help="The account's signing key (a did:key) on the new server.")]
RotationKey = Annotated[
    list[str], typer.Option(help="A rotation key (a did:key) of the new server; may be given more than once.")
]
HandleThere = Annotated[str, typer.Option(help="Handle on the new server. Default: the current one.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Print the signed operation as JSON and send nothing.")]


@app.command()
def main(
    identity: Identity,
    key_file: KeyFile,
    to: Server,
    signing_key: SigningKey,
    rotation_key: RotationKey,
    handle: HandleThere = "",
    plc_url: Directory = "",
    dry_run: DryRun = False,
    dev: Development = False,
    as_json: AsJson = False,
) -> None:
    """Sign the operation that names the server and its keys, and send it to the directory.

    The recovery key stays the first rotation key. A server lists its keys in getRecommendedDidCredentials.
    """
    for name, text in (("--signing-key", signing_key), *(("--rotation-key", key) for key in rotation_key)):
        try:
            parse_did_key(text)
        except Malformed as error:
            raise typer.BadParameter(f"{text}: {error.why}", param_hint=name) from None

    async def work(means: RecoveryContext) -> None:
        operation = await point_at(
            means,
            service=to.rstrip("/"),
            signing_key=signing_key,
            rotation_keys=tuple(rotation_key),
            also_known_as=(f"at://{handle.removeprefix('@').lower()}",) if handle else (),
        )
        if dry_run:
            print_json(plc_operation.to_json(operation))
            return
        overrules = (await basis(means)).overrules
        await means.directory.submit(means.did, operation)
        cid = str(plc_operation.cid_of(operation))
        if as_json:
            print_json({"did": means.did, "operation": cid, "overrules": overrules})
            return
        say(f"{means.did} is at {to.rstrip('/')} (operation {cid})")
        if overrules:
            say(f"Overridden: {with_count(overrules, 'newer operation')} that did not list the key.")

    run_with_key(identity, key_file, plc_url, work, dev=dev)
