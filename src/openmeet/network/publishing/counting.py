"""What became of the debts that were taken, read from where they stand afterwards: whoever paid them, alone or together.

Success is a record that was written, or is gone. A look at one that stands there as it should is none: most looks are of that kind,
and beside them what failed would hardly be seen.
"""

from collections.abc import Sequence
from typing import Final

from openmeet.network.publishing.publisher import Publisher
from openmeet.network.records.results import Result
from openmeet.outbox.publication_leases import Publication
from openmeet.outbox.publications import Kind, State

# A record that waits, is withheld or is due again for its next revision is none of these.
RESULTS = {
    State.PUBLISHED: Result.SUCCESS,
    State.RETRACTED: Result.SUCCESS,
    State.RETRYING: Result.RETRIED,
    State.REFUSED: Result.FAILED,
    State.CONFLICTED: Result.FAILED,
    State.BLOCKED: Result.FAILED,
}

_AFTER: Final = "select subject_id, state, uri, base_cid from publications where kind = :kind and subject_id in :ids"


async def count(publisher: Publisher, taken: Sequence[Publication]) -> None:
    """Count each of these once."""
    for kind in Kind:
        ids = [one.subject_id for one in taken if one.kind is kind]
        if not ids:
            continue
        before = {one.subject_id: (one.uri, one.base_cid) for one in taken if one.kind is kind}
        async with publisher.db.reader() as reader:
            rows = await reader.fetch(_AFTER, kind=kind.value, ids=ids)
        for row in rows:
            result = RESULTS.get(State(row["state"]))
            is_as_before = before[row["subject_id"]] == (row["uri"], row["base_cid"])
            if result is not None and not (result is Result.SUCCESS and is_as_before):
                publisher.count_result(kind.value, result)
