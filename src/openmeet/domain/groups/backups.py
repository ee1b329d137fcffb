"""Who may continue a group when its owner is gone, as far as everybody may know."""

from at_protocol.syntax.did import Did
from groundwork.database.transaction import Reader
from openmeet.domain.groups import queries
from openmeet.domain.groups.model import Group
from openmeet.domain.identities import queries as identity_queries


async def named_backups(reader: Reader, group: Group) -> tuple[Did, ...]:
    """Named only where they let everybody know that they are in the group: a record cannot be taken back."""
    backup, did = group.keeping.backup_admin_id, group.keeping.backup_admin_did
    if backup is None or did is None:
        return ()
    standing = await queries.find_member(reader, group.id, backup)
    known = await identity_queries.find(reader, did)
    is_willing = standing is not None and standing.sync_enabled and standing.statement_uri is not None
    if not is_willing or known is None or known.user_id != backup:
        return ()
    return (known.did,) if (await identity_queries.consent(reader, backup)).is_given else ()
