"""What became of the debts that were taken, read from where they stand afterwards: whoever paid them, alone or together."""

from collections.abc import Sequence

from openmeet.debts import publications
from openmeet.debts.publication_leases import Publication
from openmeet.debts.publications import Kind, State
from openmeet.publication.publisher import Publisher
from openmeet.records.results import Result

# A record that waits, is withheld or is due again for its next revision is none of these.
RESULTS = {
    State.PUBLISHED: Result.SUCCESS,
    State.RETRACTED: Result.SUCCESS,
    State.RETRYING: Result.RETRIED,
    State.REFUSED: Result.FAILED,
    State.CONFLICTED: Result.FAILED,
    State.BLOCKED: Result.FAILED,
}


async def count(publisher: Publisher, taken: Sequence[Publication]) -> None:
    """Count each of these once."""
    for kind in Kind:
        ids = [one.subject_id for one in taken if one.kind is kind]
        if not ids:
            continue
        async with publisher.db.reader() as reader:
            standings = await publications.states(reader, kind, ids)
        for standing in standings.values():
            result = RESULTS.get(standing.state)
            if result is not None:
                publisher.count_result(kind.value, result)
