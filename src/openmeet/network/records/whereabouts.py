"""Where a record is: the account, when it was last synced, and since when the account has this version."""

from dataclasses import dataclass

from at_protocol.syntax.at_uri import parse_at_uri
from groundwork.clock import Instant
from groundwork.database.transaction import Reader
from openmeet.domain.users.model import UserId

# A published record was synced when its newest version was confirmed. Any other one was last synced when the last known
# version was written or read.
_FIND = """
    select i.user_id, i.handle, r.seen_at as version_seen_at,
           case when p.state = 'published' then p.changed_at else r.seen_at end as synced_at
      from (select cast(:uri as text) as uri) x
      left join identities i on i.did = :did
      left join records r on r.uri = x.uri and r.cid is not null
      left join publications p on p.uri = x.uri
"""


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """``handle`` and ``owner``: of the account that has the record; empty or None if unknown. ``in_account_since``: when the version that the
    account has now was written or first read. Times are None if no version is known.

    Everybody can read a record that is in an account. Which apps have read it is not known.
    """

    handle: str
    owner: UserId | None
    synced_at: Instant | None
    in_account_since: Instant | None


async def find(reader: Reader, uri: str) -> Whereabouts:
    row = await reader.fetch_one(_FIND, uri=uri, did=str(parse_at_uri(uri).authority))
    assert row is not None  # noqa: S101 - the first table has one row
    return Whereabouts(row["handle"] or "", row["user_id"], row["synced_at"], row["version_seen_at"])
