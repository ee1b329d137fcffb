"""Access to the directory with a recovery key, for the commands that work with one."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

import typer

from at_network.plc_client import PlcClient
from at_protocol.failures import Malformed
from at_protocol.syntax.did import Did, is_plc, parse_did
from groundwork.clock import SystemClock
from groundwork.errors import Refused
from groundwork.http.client import HttpClient
from groundwork.http.reach import DEVELOPMENT, PUBLIC
from programs import recovery_file
from programs.recovery import RecoveryContext
from programs.running import VERSION, run_command

PUBLIC_DIRECTORY: Final = "https://plc.directory"


def run_with_key(
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
