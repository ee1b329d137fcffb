"""Jobs that look for series among the events of authors whose records have just been applied.

A member's events are looked through a minute after they change. A stranger's are looked through at most once in ten minutes and only
from two events on, by a job kind of its own, so that strangers take no time from members, from mail or from the stream.
"""

from collections.abc import Collection
from typing import Final

from groundwork.clock import MINUTE, Instant
from groundwork.database.transaction import Transaction
from groundwork.outbox.owe import owe_chosen, owe_many
from openmeet.domain.users.model import UserId
from openmeet.outbox.kinds import Debt

# How long an author's events are left alone before a series is looked for among them.
QUIET: Final = MINUTE
# A stranger has at most one job in each of these.
STRANGER_INTERVAL: Final = 10 * MINUTE

# At least two events: fewer are no series. Each author costs two entries of an index, however much they wrote.
_STRANGERS: Final = """
    select u.id as subject from users u
     where u.id in :authors and u.kind = 'shadow'
       and exists (select 1 from events e
                    where e.author_id = u.id and e.starts_at is not null and e.origin = 'network'
                    limit 1 offset 1)
     order by u.id
"""

ALL_STRANGERS: Final = """
    select distinct i.user_id as subject from identities i join events e on e.author_id = i.user_id
     where i.kind = 'shadow' and e.origin = 'network' and e.deleted_at is null order by subject
"""


async def enqueue_detection(tx: Transaction, authors: Collection[tuple[UserId, bool]]) -> None:
    """Look for series among the events of these authors. The flag says whether the author signs in here (``who_wrote``).

    Call it after the events are written: a stranger with a single event gets no job.
    """
    quiet = Instant(tx.now + QUIET)
    await owe_many(tx, Debt.DETECT_SERIES, [(user_id, int(tx.now), quiet) for user_id, is_here in authors if is_here])
    strangers = sorted(user_id for user_id, is_here in authors if not is_here)
    if strangers:
        # The revision is the end of the interval: within one, everything that an author writes is the same job.
        ends = tx.now - tx.now % STRANGER_INTERVAL + STRANGER_INTERVAL
        due_at = Instant(ends + QUIET)
        await owe_chosen(tx, Debt.DETECT_FOREIGN_SERIES, _STRANGERS, ends, due_at=due_at, authors=strangers)
