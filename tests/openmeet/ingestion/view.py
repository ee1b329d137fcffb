"""The canonical view of the database, to compare with the oracle's."""

import random
from dataclasses import replace

from at_protocol.syntax.did import Did, parse_did
from groundwork.database.transaction import Database
from groundwork.errors import Unavailable
from groundwork.outbox.states import sql_literals
from openmeet.feature_flags.flags import Switchboard
from openmeet.network.ingestion.apply import apply
from openmeet.network.ingestion.parsed_messages import IngestResult
from openmeet.network.records.message import RecordMessage
from openmeet.outbox.kinds import JobKind
from tests.openmeet.ingestion.network import HERE, message
from tests.simulation.oracle import Change, View

WORDS = {"attending": "going", "interested": "interested", "declined": "notgoing"}

ANSWERS = """
    select i.did, e.record_uri, a.status, a.record_uri as answer_uri
      from attendances a
      join events e on e.id = a.event_id
      join identities i on i.user_id = a.user_id
"""


async def apply_messages(db: Database, *messages: RecordMessage) -> list[IngestResult]:
    """Apply the messages. Feature flags are read again each time."""
    async with db.transaction() as tx:
        return await apply(tx, replace(HERE, flags=Switchboard()), messages)


async def view_of(db: Database) -> View:
    async with db.reader() as reader:
        events = await reader.fetch("select record_uri, title from events where removed_at is null")
        removed = {
            row["record_uri"]
            for row in await reader.fetch("select record_uri from events where removed_at is not null")
        }
        answers = await reader.fetch(ANSWERS)
    return View(
        {row["record_uri"]: row["title"] for row in events},
        {
            (row["did"], row["record_uri"]): WORDS[row["status"]]
            for row in answers
            # A withdrawn answer leaves a declined row without a record.
            if row["answer_uri"] is not None and row["record_uri"] not in removed
        },
    )


# The tables and columns that must be equal, without values that are generated each time. Jobs to fetch an event depend
# on the order. E-mails are also queued for intermediate states, and are dropped when they are composed.
ORDER_DEPENDENT_JOBS = (JobKind.FETCH_SUBJECT, JobKind.DETECT_SERIES, JobKind.DETECT_FOREIGN_SERIES, JobKind.MAIL)
COMPARED_ROWS = {
    "records": "select uri, rev, cid, is_verified, state, reason, subject_uri, precedence from records",
    "events": "select record_uri, record_cid, title, status, status_before, starts_at, visibility, search_text,"
    " case when removed_at is null then 0 else 1 end as is_removed from events",
    "answers": "select e.record_uri as event_uri, i.did, a.status, a.record_uri, a.pending_for, a.source"
    " from attendances a join events e on e.id = a.event_id join identities i on i.user_id = a.user_id"
    " where a.record_uri is not null",
    "people": "select i.did, i.kind, u.kind as user_kind from identities i join users u on u.id = i.user_id",
    "debts": f"select kind, subject from outbox_jobs where kind not in ({sql_literals(ORDER_DEPENDENT_JOBS)})",
    "met": "select did, counted from remote_authors",
    "waiting": "select subject, state from moderation_states where kind = 'did'",
}


def did_of_stranger(number: int) -> Did:
    """The DID of a person whom the site does not know."""
    return parse_did("did:plc:" + f"{number:024d}".translate(str.maketrans("0123456789", "abcdefghij")))


async def compared_state(db: Database) -> dict[str, list[tuple[object, ...]]]:
    """The state without the waitlist of small events, which depends on the order of arrival."""
    found = {}
    async with db.reader() as reader:
        for name, sql in COMPARED_ROWS.items():
            rows = [tuple(row) for row in await reader.fetch(sql)]
            found[name] = sorted(
                {tuple("attending" if one == "waitlisted" else one for one in row) for row in rows}, key=repr
            )
    return found


async def apply_shuffled(db: Database, changes: list[Change], chance: random.Random) -> None:
    """Apply the messages shuffled, some of them twice, in batches of any size."""
    queue = changes + chance.choices(changes, k=len(changes) // 3)
    chance.shuffle(queue)
    while queue:
        size = chance.randint(1, 7)
        await apply_messages(db, *(message(change) for change in queue[:size]))
        del queue[:size]


async def apply_shuffled_with_retries(db: Database, changes: list[Change], chance: random.Random) -> None:
    """Apply messages as a processor does: retry after a conflict with another transaction."""
    queue = list(changes)
    chance.shuffle(queue)
    while queue:
        size = chance.randint(1, 5)
        try:
            await apply_messages(db, *(message(change) for change in queue[:size]))
        except Unavailable:
            continue
        del queue[:size]
