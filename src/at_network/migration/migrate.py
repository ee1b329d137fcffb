"""All migration steps in order, up to the point where the owner has to act.

``copy_account`` copies everything and changes nothing that others can see; it can be repeated. Then the owner requests
a token by e-mail (``identity.ask_for_token``) or edits the did:web document, and ``finish`` completes the migration.
Once the identity has changed, only the owner's own recovery key can undo the change, within 72 hours.
"""

from dataclasses import dataclass
from pathlib import Path

from at_network.migration import copy, identity
from at_network.migration.progress import MigrationResult, MigrationStep, OnProgress, Progress, no_progress
from at_network.migration.servers import MigrationServer, require_same, status
from at_network.plc_client import PlcClient
from at_protocol.syntax.did import is_plc
from groundwork.errors import Refused


@dataclass(frozen=True, slots=True)
class Migration:
    """Both servers, a folder for temporary files, and the progress callback."""

    old: MigrationServer
    new: MigrationServer
    folder: Path
    directory: PlcClient | None = None
    on_progress: OnProgress = no_progress


async def copy_account(move: Migration) -> MigrationResult:
    """Copy the repository, blobs and preferences. If the account is already active at the new server, copy only missing
    blobs.

    Raises Refused if the sessions belong to different accounts, and the failures of either server. Repeating the call
    continues.
    """
    require_same(move.old, move.new)
    outcome = MigrationResult()
    present = await status(move.new)
    if present.get("activated") is True:
        # Records written at the new server since then are newer than anything the old one has.
        counted = present.get("indexedRecords")
        outcome.records = counted if isinstance(counted, int) else 0
        move.on_progress(
            Progress(MigrationStep.REPOSITORY, is_complete=True, note="the new server already has it and shows it")
        )
        await copy.copy_blobs(move.old, move.new, move.on_progress, outcome)
        return outcome
    revision = await copy.copy_repository(move.old, move.new, move.folder, move.on_progress)
    await copy.copy_blobs(move.old, move.new, move.on_progress, outcome)
    if await copy.newest_rev(move.old) != revision.rev:
        # Something was written at the old server in the meantime. It is little data, but its blobs are needed too.
        revision = await copy.copy_repository(move.old, move.new, move.folder, move.on_progress)
        await copy.copy_blobs(move.old, move.new, move.on_progress, outcome)
    outcome.records = revision.records
    await copy.copy_preferences(move.old, move.new, move.on_progress, outcome)
    await copy.compare(move.old, move.new, outcome)
    return outcome


async def finish(move: Migration, token: str | None, *, delete_after: str | None = None) -> None:
    """Change the identity, activate the account at the new server, and deactivate it at the old one.

    ``token`` comes from the e-mail. It is None if the identity already names the new server or is a did:web.
    ``delete_after`` allows the old server to delete its copy after that time. Raises Refused while the identity does
    not name the new server.
    """
    require_same(move.old, move.new)
    if await identity.names_new_server(move.new):
        move.on_progress(Progress(MigrationStep.IDENTITY, is_complete=True, note="names the new server"))
    elif token is not None and is_plc(move.new.did):
        await identity.change(move.old, move.new, token, move.directory)
        move.on_progress(Progress(MigrationStep.IDENTITY, is_complete=True, note=f"names {move.new.origin} now"))
    else:
        raise Refused(_not_yet(move))
    await move.new.client.procedure("com.atproto.server.activateAccount")
    move.on_progress(Progress(MigrationStep.ACTIVATION, is_complete=True, note=f"shown by {move.new.origin}"))
    body = {} if delete_after is None else {"deleteAfter": delete_after}
    await move.old.client.procedure("com.atproto.server.deactivateAccount", body)
    move.on_progress(Progress(MigrationStep.DEACTIVATION, is_complete=True, note=f"hidden at {move.old.origin}"))


def _not_yet(move: Migration) -> str:
    if is_plc(move.new.did):
        return (
            "The identity does not name the new server yet. Changing it requires the token that the old server e-mails."
        )
    return f"The document of {move.new.did} does not name {move.new.origin} and the account's key there yet."
