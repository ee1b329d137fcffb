"""From whose repository a record may be taken back: from theirs for whom it was written, and nobody else's (invariant 5).

A DID that somebody disconnects may be another person's here a moment later, who never asked for anything to be written or deleted.
"""

from groundwork.database.transaction import Reader
from openmeet.domain.groups import record_queries
from openmeet.domain.identities import queries as identity_queries
from openmeet.domain.identities.model import Identity
from openmeet.outbox import publication_moves
from openmeet.outbox.publication_leases import Publication
from openmeet.outbox.publications import Kind

# What groups say stands in the repository of who speaks for them, and is taken from there when somebody else does.
_SAID_BY_GROUPS = frozenset({Kind.ACCEPTANCE, Kind.GROUP_EVENT})


async def repository_to_clear(reader: Reader, owed: Publication) -> Identity | None:
    """The repository that holds the record, where we may delete it; None where it is not their repository (any more)."""
    identity = None if owed.did is None else await identity_queries.find(reader, owed.did)
    if identity is None or not identity.can_write:
        return None
    if identity.user_id == owed.user_id or await record_queries.held_for(reader, identity.user_id) is not None:
        return identity
    if owed.kind in _SAID_BY_GROUPS:
        spoke = await publication_moves.holders_in(reader, Kind.FORMER_GROUP, identity.did)
        return identity if identity.user_id in spoke else None
    return None
