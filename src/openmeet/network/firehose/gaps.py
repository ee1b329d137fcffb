"""Gaps: frames that a source no longer has, because its backlog does not reach back to our cursor. They are filled by
reading repositories.

A gap of a relay or a Jetstream server can affect every followed repository; a gap of a PDS can affect only the
repositories last received through it. A repository whose chain continued through another source lost nothing. The reads
are enqueued at once, a bounded number per call; the handlers run a few at a time.
"""

from collections.abc import Iterable, Sequence

from at_protocol.syntax.did import parse_did
from groundwork.clock import Instant
from groundwork.database.transaction import Reader
from openmeet.network.firehose.sources import Interests
from openmeet.network.records.message import Hint, HintKind

DIDS_OF_STREAM = "select did from verified_repositories where source = :url or source = '' order by did"


async def dids_of_stream(reader: Reader, url: str) -> list[str]:
    """Return the repositories last received through this source, and those without a stored source."""
    return [row["did"] for row in await reader.fetch(DIDS_OF_STREAM, url=url)]


def all_followed_dids(interests: Interests) -> list[str]:
    """Return every repository that a tenant is interested in."""
    return sorted(interests.followed | interests.dids.keys())


def reads_due(dids: Iterable[str], why: str, now: Instant) -> Sequence[Hint]:
    """Return a full read of each repository. The rev of the missed commits is unknown, so any read from now on closes
    the gap.
    """
    return [Hint(parse_did(did), HintKind.REPOSITORY, why, int(now)) for did in sorted(set(dids))]
