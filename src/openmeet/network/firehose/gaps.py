"""Gaps: frames that a source no longer has, because its backlog does not reach back to our cursor. Enqueue repository reads.

A relay and a Jetstream server speak for every followed repository; a PDS for those last received through it. A
repository whose chain continued through another source lost nothing. The queues take the reads at once, a bounded
number per call; their handlers run a few at a time.
"""

from collections.abc import Iterable, Sequence

from at_protocol.syntax.did import parse_did
from groundwork.clock import Instant
from groundwork.database.transaction import Reader
from openmeet.network.firehose.sources import Interests
from openmeet.network.records.message import Hint, HintKind

DIDS_OF_STREAM = "select did from verified_repositories where source = :url or source = '' order by did"


async def dids_of_stream(reader: Reader, url: str) -> list[str]:
    """The repositories last received through this source, and those with no source stored."""
    return [row["did"] for row in await reader.fetch(DIDS_OF_STREAM, url=url)]


def all_followed_dids(interests: Interests) -> list[str]:
    """Every repository that concerns a tenant here."""
    return sorted(interests.followed | interests.dids.keys())


def reads_due(dids: Iterable[str], why: str, now: Instant) -> Sequence[Hint]:
    """A whole read of each repository. The rev of what was missed is unknown, so any read after now will do."""
    return [Hint(parse_did(did), HintKind.REPOSITORY, why, int(now)) for did in sorted(set(dids))]
