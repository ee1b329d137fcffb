"""Relay status of single accounts. A relay can throttle accounts of a host without notifying anybody.

Every active account is queried about once a day (``com.atproto.sync.getRepoStatus``), a few per minute. If a relay is
down, the last known status stays. ``unknown`` means that the relay has no data about the account, ``other`` that its
answer has another form.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import quote

from prometheus_client import Gauge

from aurora_locus.repository.model import HostingStatus
from groundwork.clock import DAY, Clock, Instant
from groundwork.database.transaction import Database, Reader
from groundwork.errors import Failure, RemoteFailed
from groundwork.http.client import HttpClient
from groundwork.telemetry.health import log_fields
from groundwork.telemetry.logs import log
from groundwork.telemetry.metrics import Metrics

ROUND_SECONDS = 60.0
A_ROUND = 20
ASKED_AGAIN = DAY
NAMED = 50
_TIMEOUT_SECONDS = 5.0

ACTIVE, UNKNOWN, OTHER = "active", "unknown", "other"
# The relay, or a proxy in front of it, is down or overloaded. This says nothing about the account.
_DOWN: Final = frozenset(
    {
        HTTPStatus.TOO_MANY_REQUESTS,
        HTTPStatus.BAD_GATEWAY,
        HTTPStatus.SERVICE_UNAVAILABLE,
        HTTPStatus.GATEWAY_TIMEOUT,
    }
)
# Statuses of the Lexicon. They are a closed set, because they are labels of metrics.
STATUSES: Final = (
    ACTIVE,
    "throttled",
    "desynchronized",
    "suspended",
    "takendown",
    "deactivated",
    "deleted",
    UNKNOWN,
    OTHER,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RelayAccount:
    """The status of one account at one relay."""

    relay: str
    did: str
    status: str
    rev: str | None


class AccountGauges:
    """Metrics: number of accounts by relay and status."""

    def __init__(self, metrics: Metrics) -> None:
        self.accounts: Gauge = metrics.gauge("relay_accounts", "Accounts by relay and status", ["relay", "status"])


async def keep_asking(
    db: Database, http: HttpClient, clock: Clock, relays: Sequence[str], gauges: AccountGauges
) -> None:
    """Query the relays, round after round, until cancelled."""
    while True:
        try:
            await ask_some(db, http, clock, relays)
            for relay, counts in (await count_by_status(db, relays)).items():
                for status in STATUSES:
                    gauges.accounts.labels(relay, status).set(counts.get(status, 0))
        except Exception as error:  # noqa: BLE001 - an edge: one round that fails must not end the others
            log.error("federation.accounts_failed", **log_fields(error))
        await asyncio.sleep(ROUND_SECONDS)


async def ask_some(db: Database, http: HttpClient, clock: Clock, relays: Sequence[str]) -> int:
    """Query each relay about the accounts with the oldest answers. Return the number of answers."""
    responses: list[RelayAccount] = []
    for relay in relays:
        async with db.reader() as reader:
            dids = await _list_due(reader, relay, Instant(clock.now() - ASKED_AGAIN))
        for did in dids:
            response = await _fetch_account(http, relay, did)
            if response is None:
                break  # its other requests of this round would fail, too
            responses.append(response)
    async with db.transaction() as tx:
        await tx.execute_many(
            """
            insert into relay_accounts (relay, did, status, rev, asked_at)
            select :relay, did, :status, :rev, :now from accounts where did = :did
                on conflict (relay, did) do update set status = excluded.status, rev = excluded.rev,
                    asked_at = excluded.asked_at
            """,
            [
                {"relay": one.relay, "did": one.did, "status": one.status, "rev": one.rev, "now": clock.now()}
                for one in responses
            ],
        )
    return len(responses)


async def count_by_status(db: Database, relays: Sequence[str]) -> dict[str, dict[str, int]]:
    """Return the number of accounts by relay and status."""
    async with db.reader() as reader:
        rows = await reader.fetch("select relay, status, count(*) as number from relay_accounts group by relay, status")
    counts: dict[str, dict[str, int]] = {relay: {} for relay in relays}
    for row in rows:
        if row["relay"] in counts:
            counts[row["relay"]][row["status"]] = row["number"]
    return counts


async def accounts_on_relays(db: Database, relays: Sequence[str]) -> dict[str, Mapping[str, Any]]:
    """Return the status of accounts at each relay, for the operator: counts, and the first accounts whose status is not
    active.
    """
    counts = await count_by_status(db, relays)
    accounts: dict[str, Mapping[str, Any]] = {}
    async with db.reader() as reader:
        for relay in relays:
            rows = await reader.fetch(
                "select r.did, a.handle, r.status from relay_accounts r join accounts a on a.did = r.did"
                " where r.relay = :relay and r.status <> :active order by r.status, r.did limit :limit",
                relay=relay,
                active=ACTIVE,
                limit=NAMED,
            )
            accounts[relay] = {
                "counts": counts[relay],
                "notRead": [{"did": row["did"], "handle": row["handle"], "status": row["status"]} for row in rows],
            }
    return accounts


async def _list_due(reader: Reader, relay: str, before: Instant) -> list[str]:
    rows = await reader.fetch(
        "select a.did from accounts a join repositories p on p.did = a.did"
        " left join relay_accounts r on r.did = a.did and r.relay = :relay"
        " where p.status = :active and (r.asked_at is null or r.asked_at < :before)"
        " order by coalesce(r.asked_at, 0), a.did limit :limit",
        relay=relay,
        active=HostingStatus.ACTIVE.value,
        before=before,
        limit=A_ROUND,
    )
    return [row["did"] for row in rows]


async def _fetch_account(http: HttpClient, relay: str, did: str) -> RelayAccount | None:
    """Return None if the relay is down. Any other answer is stored, because an account without a new answer would be
    asked for first in every round, before all others.
    """
    url = f"{relay}/xrpc/com.atproto.sync.getRepoStatus?did={quote(did, safe=':')}"
    try:
        response = await http.get(url, timeout_seconds=_TIMEOUT_SECONDS)
    except Failure:
        return None
    if response.status in _DOWN:
        return None
    try:
        body = response.json()
    except RemoteFailed:
        body = None
    status, rev = _status_in(body, is_ok=response.is_ok) if isinstance(body, dict) else (OTHER, None)
    return RelayAccount(relay=relay, did=did, status=status, rev=rev)


def _status_in(body: dict[str, Any], *, is_ok: bool) -> tuple[str, str | None]:
    if not is_ok:
        return (UNKNOWN if body.get("error") == "RepoNotFound" else OTHER), None
    rev = body.get("rev")
    # `active` is decisive and `status` only adds detail (sync specification, account statuses).
    status = body.get("status") if body.get("status") or body.get("active") is False else ACTIVE
    label = status if isinstance(status, str) and status in STATUSES else OTHER
    return label, rev if isinstance(rev, str) else None
