"""Series found by their records, those that they had before they changed hands among them."""

from groundwork.database.transaction import Reader
from openmeet.domain.series import queries
from openmeet.domain.series.model import Series, SeriesId
from openmeet.outbox import former_records
from openmeet.outbox.publications import Kind


async def find(reader: Reader, uri: str) -> Series | None:
    """The series that this is the record of, or was."""
    found = await queries.by_record_uri(reader, uri)
    former = None if found is not None else await former_records.find(reader, uri)
    if former is None or former.kind is not Kind.SERIES:
        return found
    return await queries.by_id(reader, SeriesId(former.subject_id))
