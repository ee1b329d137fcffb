"""All steps of a move in their order, up to where the owner is needed.

``bring`` takes everything along and changes nothing that others see; it can be repeated as often as one likes. Then the owner
gets a token by mail (``identity.ask_for_token``), or edits the document of a did:web, and ``finish`` makes the move. After the
identity has changed there is no way back but with a key of one's own, within 72 hours.
"""

from dataclasses import dataclass
from pathlib import Path

from at_network.migration import copy, identity
from at_network.migration.progress import MigrationResult, MigrationStep, Progress, Tell, tell_nobody
from at_network.migration.servers import MigrationServer, require_same, status
from at_network.plc_client import PlcClient
from at_protocol.syntax.did import is_plc
from groundwork.errors import Refused


@dataclass(frozen=True, slots=True)
class Migration:
    """Both sides, a folder for what is on its way, and who is told how far it is."""

    old: MigrationServer
    new: MigrationServer
    folder: Path
    directory: PlcClient | None = None
    tell: Tell = tell_nobody


async def bring(move: Migration) -> MigrationResult:
    """Repository, blobs and preferences. Of an account that the new server shows already, missing blobs alone.

    Raises Refused for sessions that do not belong together, and the failures of either server; then nothing is lost, and the
    same call goes on.
    """
    require_same(move.old, move.new)
    outcome = MigrationResult()
    present = await status(move.new)
    if present.get("activated") is True:
        # What was written at the new server since is newer than anything the old one has.
        counted = present.get("indexedRecords")
        outcome.records = counted if isinstance(counted, int) else 0
        move.tell(
            Progress(MigrationStep.REPOSITORY, is_complete=True, note="the new server has it, and shows it already")
        )
        await copy.bring_blobs(move.old, move.new, move.tell, outcome)
        return outcome
    brought = await copy.bring_repository(move.old, move.new, move.folder, move.tell)
    await copy.bring_blobs(move.old, move.new, move.tell, outcome)
    if await copy.newest_rev(move.old) != brought.rev:
        # Somebody wrote at the old server meanwhile; what is new is little, but for it no blob may be missing either.
        brought = await copy.bring_repository(move.old, move.new, move.folder, move.tell)
        await copy.bring_blobs(move.old, move.new, move.tell, outcome)
    outcome.records = brought.records
    await copy.bring_preferences(move.old, move.new, move.tell, outcome)
    await copy.compare(move.old, move.new, outcome)
    return outcome


async def finish(move: Migration, token: str | None, *, delete_after: str | None = None) -> None:
    """Change the identity, show the account at the new server, hide it at the old one.

    ``token`` is that of the mail; None where the identity names the new server already, or is a did:web. ``delete_after``
    (a datetime) lets the old server delete its copy then. Raises Refused while the identity does not name the new server.
    """
    require_same(move.old, move.new)
    if await identity.names_new_server(move.new):
        move.tell(Progress(MigrationStep.IDENTITY, is_complete=True, note="names the new server"))
    elif token is not None and is_plc(move.new.did):
        await identity.change(move.old, move.new, token, move.directory)
        move.tell(Progress(MigrationStep.IDENTITY, is_complete=True, note=f"names {move.new.origin} now"))
    else:
        raise Refused(_not_yet(move))
    await move.new.client.procedure("com.atproto.server.activateAccount")
    move.tell(Progress(MigrationStep.ACTIVATION, is_complete=True, note=f"shown by {move.new.origin}"))
    body = {} if delete_after is None else {"deleteAfter": delete_after}
    await move.old.client.procedure("com.atproto.server.deactivateAccount", body)
    move.tell(Progress(MigrationStep.DEACTIVATION, is_complete=True, note=f"hidden at {move.old.origin}"))


def _not_yet(move: Migration) -> str:
    if is_plc(move.new.did):
        return "The identity does not name the new server yet; that takes the token that the old server mails."
    return f"The document of {move.new.did} does not name {move.new.origin} and the account's key there yet."
