"""Invite codes that an account earns over time: one per interval, with a limit on unused ones.

The rule is the reference server's (``PDS_INVITE_INTERVAL``, ``PDS_INVITE_EPOCH``): one code for each whole interval
since the account was created, or since the epoch if that is later. Codes created by an administrator do not count.
"""

from dataclasses import dataclass

from at_protocol.syntax.did import Did
from aurora_locus.accounts import invites
from groundwork.clock import Instant
from groundwork.database.transaction import Writer

# The same limit as the reference server's: an account that never invites anybody does not collect hundreds of codes.
MAX_OPEN = 5

# This locks the account's row, so that concurrent requests do not create the same codes twice.
_LOCK = """
    update accounts set invites_disabled = invites_disabled where did = :did
    returning created_at, invites_disabled, deactivated_at, takedown_ref
"""
_EARNED = """
    select count(*) as made, coalesce(sum(case when disabled = 0 and available_uses > 0 then 1 else 0 end), 0) as open
      from invite_codes
     where for_account = :did and created_by = :did
"""


@dataclass(frozen=True, slots=True)
class EarningRule:
    """The rule by which accounts earn invite codes. ``interval`` is in microseconds; 0 means that no codes are earned.
    The rule applies from ``epoch`` on.
    """

    interval: int
    epoch: Instant


def count_due(earning: EarningRule, *, since: int, now: int, created_count: int, open_now: int) -> int:
    """Return how many new invite codes the account may get now. ``created_count`` is the number of codes it has already
    earned.
    """
    if earning.interval <= 0:
        return 0
    earned = max(0, now - max(since, earning.epoch)) // earning.interval
    return max(0, min(earned - created_count, MAX_OPEN - open_now))


def earn(w: Writer, earning: EarningRule, did: Did, hostname: str) -> int:
    """Create the codes earned since the last request and return how many."""
    account = w.fetch_one(_LOCK, did=did)
    if account is None or account["invites_disabled"] or account["deactivated_at"] or account["takedown_ref"]:
        return 0
    row = w.fetch_one(_EARNED, did=did)
    if row is None:
        raise LookupError("a statement that counts has one row")
    count = count_due(earning, since=account["created_at"], now=w.now, created_count=row["made"], open_now=row["open"])
    if count:
        invites.create_many(w, hostname, [did], codes=count, uses=1, created_by=did)
    return count
