"""Move an identity with its recovery key (``openmeet pds recover``, ``repoint`` and ``recovery-key``)."""

import secrets
from collections.abc import Awaitable, Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Final

import typer

from at_network.plc_client import PlcClient
from at_protocol.crypto.did_key import format_did_key, parse_did_key
from at_protocol.crypto.p256 import P256PrivateKey
from at_protocol.failures import Malformed
from at_protocol.identity import plc_operation
from at_protocol.syntax.did import Did, is_plc, parse_did
from groundwork.clock import SystemClock
from groundwork.errors import Refused
from groundwork.http.client import HttpClient
from groundwork.http.reach import DEVELOPMENT, PUBLIC
from programs import recovery_file
from programs.account_file import open_account_file
from programs.command_line import print_json, say, with_count
from programs.recovery import RecoveryContext, RecoveryTarget, basis, move, point_at
from programs.running import VERSION, run_command

PUBLIC_DIRECTORY: Final = "https://plc.directory"


def recover(
    identity: str,
    key_file: Path,
    to: str,
    handle: str,
    email: str,
    password: str,
    archive: Path | None,
    invite_code: str,
    plc_url: str,
    *,
    dev: bool,
    as_json: bool,
) -> None:
    """Create the account on a new server, import the archive, and point the identity there.

    The old server is not contacted, because it may be gone. After a failure, the same command continues where it
    stopped. If the account is already on the new server, use `openmeet pds repoint`.
    """
    target = RecoveryTarget(to.rstrip("/"), handle.removeprefix("@").lower(), email, password, invite_code)

    async def work(context: RecoveryContext) -> None:
        with nullcontext() if archive is None else open_account_file(archive) as file:
            if file is not None and file.did != context.did:
                raise typer.BadParameter(f"the archive belongs to {file.did}", param_hint="--archive")
            status = await move(context, target, file, (lambda _line: None) if as_json else say)
        if as_json:
            print_json({"did": context.did, "service": target.service, "handle": target.handle, "status": status})

    _run_with_key(identity, key_file, plc_url, work, dev=dev)


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

    _run_with_key(identity, key_file, plc_url, work, dev=dev)


def make_or_show_key(file: Path, whose: str, *, show: bool, as_json: bool) -> None:
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


def _run_with_key(
    identity: str, key_file: Path, plc_url: str, work: Callable[[RecoveryContext], Awaitable[None]], *, dev: bool
) -> None:
    """Run ``work`` as the holder of the key. Raises Refused if the key belongs to another identity, and the errors of
    ``work``.
    """
    did, recovery_key = _parse_did(identity), recovery_file.read(key_file)
    if recovery_key.identity is not None and recovery_key.identity != did:
        raise Refused(f"The key in {key_file} is that of {recovery_key.identity}, not of {did}.")

    async def run() -> None:
        http = HttpClient(DEVELOPMENT if dev else PUBLIC, user_agent=f"openmeet/{VERSION}")
        try:
            await work(
                RecoveryContext(
                    http, SystemClock(), PlcClient(http, plc_url or PUBLIC_DIRECTORY), did, recovery_key.key
                )
            )
        except Malformed as error:
            raise Refused(f"{error.kind}: {error.why}.") from error
        finally:
            await http.close()

    run_command(run)


def _parse_did(text: str) -> Did:
    try:
        did = parse_did(text)
    except Malformed as error:
        raise typer.BadParameter(f"{text}: {error.why}", param_hint="IDENTITY") from None
    if not is_plc(did):
        raise typer.BadParameter("only a did:plc has rotation keys", param_hint="IDENTITY")
    return did
