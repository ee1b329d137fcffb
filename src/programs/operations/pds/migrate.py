"""Move an account between this server and another one, with all its data (``openmeet pds migrate in|out``)."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import typer

from at_network.did_resolver import DidResolver, DidSettings
from at_network.handle_resolver import HandleResolver, HandleSettings
from at_network.plc_client import PlcClient
from at_protocol.failures import Malformed
from at_protocol.syntax.did import parse_did
from at_protocol.syntax.handle import parse_handle
from aurora_locus.settings import PdsSettings
from groundwork.clock import SystemClock
from groundwork.errors import Refused
from groundwork.http.client import HttpClient
from groundwork.http.reach import DEVELOPMENT, PUBLIC
from programs import migration, migration_state
from programs.migration import MigrationOptions
from programs.migration_state import MoveState
from programs.operations.pds.server_access import read_settings
from programs.running import VERSION, run_command


def move_in(
    who: str,
    old: str,
    handle: str,
    email: str,
    new: str,
    invite_code: str,
    recovery_key: str,
    delete_after: int,
    state_file: Path,
    settings_file: Path | None,
    *,
    yes: bool,
) -> None:
    """Move an account to this server. After a failure, run the same command again, or use --state alone, to continue
    where it stopped.
    """
    settings = read_settings(settings_file)
    state = _migration_state(state_file, who, old, new or settings.url, handle, email)
    _go(settings, state, state_file, invite_code, recovery_key, delete_after, is_confirmed=yes)


def move_out(
    who: str,
    new: str,
    handle: str,
    email: str,
    old: str,
    invite_code: str,
    recovery_key: str,
    delete_after: int,
    state_file: Path,
    settings_file: Path | None,
    *,
    yes: bool,
) -> None:
    """Move an account from this server to any other PDS."""
    settings = read_settings(settings_file)
    state = _migration_state(state_file, who, old or settings.url, new, handle, email)
    _go(settings, state, state_file, invite_code, recovery_key, delete_after, is_confirmed=yes)


def _migration_state(path: Path, who: str, old: str, new: str, handle: str, email: str) -> MoveState:
    """The state of the migration, from the options or as it was stored at the beginning. Raises BadParameter if options
    are missing, and Refused if the file belongs to another migration.
    """
    if path.exists():
        state = migration_state.read(path)
        if state.is_finished:
            raise Refused(
                f"The migration in {path} is complete. To move another account, choose another file with --state."
            )
        if who and who.lower().removeprefix("@") not in {state.identifier, state.did}:
            raise Refused(
                f"{path} belongs to the migration of {state.identifier}. To move another account, choose another "
                "file with --state."
            )
        state.handle, state.email = handle.lower().removeprefix("@") or state.handle, email or state.email
        return state
    for value, what, hint in (
        (who, "whose account", "WHO"),
        (new, "the new server", "--to"),
        (handle, "the handle at the new server", "--handle"),
        (email, "the e-mail address at the new server", "--email"),
    ):
        if not value:
            raise typer.BadParameter(f"say {what}", param_hint=hint)
    return MoveState(
        who.lower().removeprefix("@"),
        old.rstrip("/"),
        new.rstrip("/"),
        handle.lower().removeprefix("@"),
        email,
    )


def _go(
    settings: PdsSettings,
    state: MoveState,
    path: Path,
    invite_code: str,
    recovery_key: str,
    delete_after: int,
    *,
    is_confirmed: bool,
) -> None:
    async def work() -> None:
        http = HttpClient(DEVELOPMENT if settings.dev_mode else PUBLIC, user_agent=f"openmeet/{VERSION}")
        try:
            state.old = state.old or await _server_of(http, settings, state.identifier)
            options = MigrationOptions(
                invite_code or None,
                recovery_key or None,
                _in_days(delete_after) if delete_after else None,
                is_confirmed,
                path,
                PlcClient(http, settings.did_plc_url),
            )
            await migration.run(http, state, options)
        finally:
            await http.close()

    run_command(work)


async def _server_of(http: HttpClient, settings: PdsSettings, identifier: str) -> str:
    """The server that the identity names. Raises Refused if it names none."""
    clock = SystemClock()
    dids = DidResolver(http, clock, DidSettings(settings.did_plc_url, is_development=settings.dev_mode))
    handles = HandleResolver(http, dids, clock, HandleSettings(settings.dev_mode))
    try:
        did = (
            parse_did(identifier) if identifier.startswith("did:") else await handles.resolve(parse_handle(identifier))
        )
        document = await dids.resolve(did)
    except Malformed as error:
        raise Refused(f"{identifier} is neither a handle nor a DID: {error.why}.") from None
    finally:
        await handles.close()
        await dids.close()
    if document.pds is None:
        raise Refused(f"The identity of {identifier} names no server. Give it with --from.")
    return document.pds


def _in_days(days: int) -> str:
    return (datetime.now(UTC) + timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%S.000Z")
