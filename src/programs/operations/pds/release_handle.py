"""End the quarantine of a handle that is reserved for its last owner (``openmeet pds release-handle HANDLE``)."""

from pathlib import Path

import typer

from at_protocol.failures import Malformed
from at_protocol.syntax.handle import parse_handle
from aurora_locus.accounts import queries
from aurora_locus.moderation import audit_log
from aurora_locus.moderation.roles import ADMINISTRATION, AuditContext, OperatorAction
from aurora_locus.settings import PdsSettings
from groundwork.database.transaction import Database, Writer
from groundwork.errors import NotFound
from programs.command_line import say
from programs.operations.pds.reaching import run_on_database

# People with access to the server's files have no user name on the server, so this name is logged.
DEED = AuditContext(ADMINISTRATION, "openmeet pds release-handle")


def release(handle: str, settings_file: Path | None) -> None:
    """Make a handle available to anybody before PDS_HANDLE_QUARANTINE has passed since its owner gave it up."""
    try:
        name = parse_handle(handle.strip().removeprefix("@").lower())
    except Malformed as error:
        raise typer.BadParameter(f"{handle} is not a handle: {error.why}.") from None

    async def run(db: Database, _settings: PdsSettings) -> None:
        def release(w: Writer) -> None:
            former = queries.free_handle(w, name)
            if former is None:
                raise NotFound(f"{name} is not reserved for anybody.")
            audit_log.append(w, DEED, OperatorAction.RELEASE_HANDLE, former, before={"handle": name})

        await db.write(release)
        say(f"{name} can be taken now.")

    run_on_database(settings_file, run)
