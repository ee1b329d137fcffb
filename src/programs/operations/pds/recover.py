"""Move an account with its recovery key, without its old server (``openmeet pds recover``)."""

from contextlib import nullcontext
from pathlib import Path

import typer

from programs.account_file import open_account_file
from programs.command_line import print_json, say
from programs.operations.pds.recovery_access import run_with_key
from programs.recovery import RecoveryContext, RecoveryTarget, move


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

    run_with_key(identity, key_file, plc_url, work, dev=dev)
