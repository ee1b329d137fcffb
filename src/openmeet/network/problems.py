"""Problems that need an operator: failing servers, conflicting records, dead letters."""

from collections.abc import Sequence
from dataclasses import dataclass

from at_network.circuits import CircuitState
from at_protocol.data import cbor, json_form
from at_protocol.failures import Malformed
from groundwork.clock import Instant
from groundwork.database.transaction import Reader
from groundwork.errors import Explanation, NotFound, decode_explanation
from groundwork.queue.contract import DeadLetter, Queue
from openmeet.domain.merge_decisions.queries import OPEN
from openmeet.network.ingestion import dead_letters
from openmeet.network.ingestion.dead_letters import DeadLetterView
from openmeet.network.ingestion.reasons import IngestionReason
from openmeet.network.records.message import RecordMessage, decode
from openmeet.network.repositories import circuits

SHOWN = 50
_PAGE = 500

# Publications that wait for a failing server. A record that was never sent has no DID yet; it counts for its person's
# default account.
FAILING = """
    select i.pds_url as pds_url, count(*) as n, max(p.attempts) as attempts, min(p.due_at) as next_at,
           max(p.reason) as reason
      from publications p
      join identities i on i.did = p.did or (p.did is null and i.user_id = p.user_id and i.is_default = 1)
     where p.state = 'retrying'
     group by i.pds_url order by count(*) desc, i.pds_url limit :limit
"""

OPEN_CONFLICTS = f"""
    select c.uri, c.field, c.policy, c.result, c.decided_at, e.slug, e.title
      from merge_decisions c left join events e on e.record_uri = c.uri and e.visibility = 'public'
          and e.deleted_at is null
     where {OPEN} order by c.decided_at desc, c.uri, c.field limit :limit
"""


@dataclass(frozen=True, slots=True)
class FailingServer:
    """A PDS that fails or that records are waiting for. ``next_at`` is the earliest retry among its records.

    ``circuit``: whether the server is called at all. While the circuit breaker is open, ``next_at`` is the time of the
    next trial call.
    """

    pds_url: str
    records: int
    attempts: int
    next_at: Instant
    reason: Explanation | None
    circuit: CircuitState


@dataclass(frozen=True, slots=True)
class OpenConflict:
    """A field that was changed here and in another app at the same time. A host can reverse the merge decision, but
    none has reviewed it.

    ``slug`` and ``title`` belong to the event, if it is public.
    """

    uri: str
    field: str
    policy: str
    result: str
    decided_at: Instant
    slug: str | None
    title: str | None


@dataclass(frozen=True, slots=True)
class OpenedDeadLetter:
    """A dead letter with its content: the record as JSON, or the first bytes if it cannot be decoded."""

    letter: DeadLetterView
    content: str


async def failing_servers(reader: Reader) -> list[FailingServer]:
    """Return servers by number of waiting records, highest first, followed by servers with an open circuit and no
    waiting records.
    """
    open_circuits = {one.service: one for one in await circuits.known(reader)}
    servers = []
    for row in await reader.fetch(FAILING, limit=SHOWN):
        circuit = open_circuits.pop(row["pds_url"].rstrip("/"), None)
        servers.append(
            FailingServer(
                row["pds_url"],
                row["n"],
                row["attempts"],
                Instant(row["next_at"]) if circuit is None else circuit.open_until or reader.now,
                decode_explanation(row["reason"]) if circuit is None else circuit.reason,
                CircuitState.CLOSED if circuit is None else circuit.state(reader.now),
            )
        )
    servers += [
        FailingServer(one.service, 0, one.failures, one.open_until or reader.now, one.reason, one.state(reader.now))
        for one in open_circuits.values()
    ]
    return servers[:SHOWN]


async def open_conflicts(reader: Reader) -> list[OpenConflict]:
    """Return conflicts that no host has reviewed, newest first."""
    return [
        OpenConflict(
            row["uri"],
            row["field"],
            row["policy"],
            row["result"],
            Instant(row["decided_at"]),
            row["slug"],
            row["title"],
        )
        for row in await reader.fetch(OPEN_CONFLICTS, limit=SHOWN)
    ]


async def open_dead_letter(queue: Queue, letter_id: str) -> OpenedDeadLetter:
    """Return a dead letter with its content. Raises NotFound if it was retried or discarded in the meantime."""
    after = ""
    while letters := await queue.dead_letters(_PAGE, after):
        letter = next((one for one in letters if one.letter_id == letter_id), None)
        if letter is not None:
            return OpenedDeadLetter(dead_letters.shown(letter), _content(letter))
        after = letters[-1].letter_id
    raise NotFound(IngestionReason.NO_SUCH_MESSAGE)


async def dead_letters_of(queue: Queue, *, after: str = "") -> tuple[Sequence[DeadLetterView], str]:
    """Return one page of dead letters, and the start of the next page (empty on the last page)."""
    page = await dead_letters.show(queue, limit=SHOWN + 1, after=after)
    return page[:SHOWN], page[SHOWN - 1].letter_id if len(page) > SHOWN else ""


def _content(letter: DeadLetter) -> str:
    try:
        message = decode(letter.message.body)
        if isinstance(message, RecordMessage) and message.body is not None:
            return json_form.encode(cbor.decode(message.body)).decode()
    except Malformed:
        return repr(letter.message.body[:500])
    return f"{message}"
