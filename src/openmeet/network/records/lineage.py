"""Which records the record of an event or a series continues."""

from groundwork.database.transaction import Reader
from openmeet.network.records.succession import Lineage
from openmeet.outbox import former_records
from openmeet.outbox.publications import Kind


async def lineage_of(reader: Reader, kind: Kind, subject_id: str) -> Lineage:
    """What its record is to say of those before."""
    former = await former_records.of(reader, kind, subject_id)
    return Lineage(tuple(one.uri for one in former if one.is_there), frozenset(one.uri for one in former))
