"""What a source will never tell, because its memory does not reach back to where we were: whoever it spoke for is owed a read.

A relay and a Jetstream server speak for everybody who is followed; a PDS for those last heard of through it. Whose chain came
through another source meanwhile lost nothing. The queues take the reads at once, a bounded number per call; their payers make
a few at a time.
"""

from collections.abc import Iterable, Sequence

from at_protocol.syntax.did import parse_did
from groundwork.clock import Instant
from groundwork.database.transaction import Reader
from openmeet.network.firehose.sources import Interests
from openmeet.network.records.message import Hint, HintKind

HEARD_THROUGH = "select did from verified_repositories where source = :url or source = '' order by did"


async def heard_through(reader: Reader, url: str) -> list[str]:
    """The repositories last heard of through this source, and those of which nobody noted it."""
    return [row["did"] for row in await reader.fetch(HEARD_THROUGH, url=url)]


def everybody_followed(interests: Interests) -> list[str]:
    """Every repository that concerns somebody here."""
    return sorted(interests.followed | interests.dids.keys())


def reads_owed(dids: Iterable[str], why: str, now: Instant) -> Sequence[Hint]:
    """A whole read of each. What was missed has no rev that anybody knows, so any read of after now will do."""
    return [Hint(parse_did(did), HintKind.REPOSITORY, why, int(now)) for did in sorted(set(dids))]
