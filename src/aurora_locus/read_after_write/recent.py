"""An account's own posts and profile that are newer than a rev.

Posts are found by their record keys, newest first, at constant cost. The record key states when its author created the
record, the rev when it was written to this repository. If the two are far apart, the record was imported with a
repository, and the app view indexed it long ago.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from at_protocol.data import json_form
from at_protocol.failures import Malformed
from at_protocol.repo.stored_record import read_stored
from at_protocol.syntax import tid
from at_protocol.syntax.datetime import format_datetime
from at_protocol.syntax.did import Did
from at_protocol.syntax.nsid import Nsid
from at_protocol.syntax.record_key import RecordKey
from at_protocol.syntax.tid import Tid
from aurora_locus.repository import reader
from aurora_locus.repository.model import Record
from groundwork.clock import HOUR
from groundwork.database.transaction import Database
from groundwork.threads import compute

POST: Final = Nsid("app.bsky.feed.post")
PROFILE: Final = Nsid("app.bsky.actor.profile")

# If an app view is behind by more posts than a person writes in a few minutes, only the newest are added.
MAX_POSTS: Final = 20
_APART: Final = HOUR


@dataclass(frozen=True, slots=True)
class RecentRecord:
    """A record of the caller. ``value`` is JSON, ``at`` is when it was written to the repository, in microseconds UTC."""

    uri: str
    cid: str
    value: dict[str, Any]
    at: int

    @property
    def indexed_at(self) -> str:
        """The time at which an app view would index it."""
        return format_datetime(self.at)


@dataclass(frozen=True, slots=True)
class RecentWrites:
    """Records newer than a rev. ``posts`` has the newest first; ``profile`` is None if it has not changed since."""

    posts: Sequence[RecentRecord] = field(default_factory=tuple)
    profile: RecentRecord | None = None

    @property
    def oldest(self) -> int | None:
        """When the first of them was written; None if there are none."""
        every = [*self.posts, *([] if self.profile is None else [self.profile])]
        return min((one.at for one in every), default=None)


async def since(db: Database, did: Did, rev: Tid) -> RecentWrites:
    """Return what the account wrote after ``rev``."""
    posts = []
    for record, written_in in await reader.newest_with_revs(db, did, POST, MAX_POSTS):
        at = tid.to_microseconds(written_in)
        if written_in > rev and _is_new(record.rkey, at):
            posts.append(await _recent_record(did, record, at))
    profile = await reader.find_with_rev(db, did, PROFILE, RecordKey("self"))
    return RecentWrites(
        posts=sorted(posts, key=lambda post: post.at, reverse=True),
        profile=None
        if profile is None or profile[1] <= rev
        else await _recent_record(did, profile[0], tid.to_microseconds(profile[1])),
    )


async def present_profile(db: Database, did: Did) -> dict[str, Any]:
    """Return the current profile record, however old; empty if there is none."""
    profile = await reader.find_with_rev(db, did, PROFILE, RecordKey("self"))
    return {} if profile is None else (await _recent_record(did, profile[0], 0)).value


def _is_new(rkey: RecordKey, at: int) -> bool:
    try:
        created_us = tid.to_microseconds(tid.parse_tid(rkey))
    except Malformed:
        return False
    return abs(at - created_us) < _APART


async def _recent_record(did: Did, record: Record, at: int) -> RecentRecord:
    value = await compute(len(record.block), _value_of, record)
    return RecentRecord(f"at://{did}/{record.collection}/{record.rkey}", str(record.cid), value, at)


def _value_of(record: Record) -> dict[str, Any]:
    value = json_form.to_json(read_stored(record.cid, record.block).fields or {})
    return value if isinstance(value, dict) else {}
