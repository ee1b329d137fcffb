"""Federation status for the operator: subscribers of the stream with their lag, and how each relay sees this host. Also
the background task that measures the lag and sends due crawl requests.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from prometheus_client import Gauge

from aurora_locus.federation.crawl_requests import TICK_SECONDS, CrawlRequests, Relay
from aurora_locus.federation.relay_accounts import accounts_on_relays
from aurora_locus.sequencer import queries
from aurora_locus.sequencer.live_events import LiveEvents
from groundwork.clock import SECOND, Clock
from groundwork.database.transaction import Database
from groundwork.errors import Failure
from groundwork.http.client import HttpClient
from groundwork.telemetry.health import log_fields
from groundwork.telemetry.logs import log
from groundwork.telemetry.metrics import Metrics

_TIMEOUT_SECONDS = 3.0
_HOST_STATUS_FIELDS = ("seq", "accountCount", "status")


@dataclass(frozen=True, slots=True)
class SubscriberLag:
    """Lag of one subscriber. ``events`` is a difference of sequence numbers, some of which may have been purged.
    ``seconds`` is the age of the oldest event that was not sent yet.
    """

    peer: str
    position: int
    is_live: bool
    events: int
    seconds: float


async def lags(db: Database, live: LiveEvents, clock: Clock) -> list[SubscriberLag]:
    """Return the lag of every subscriber, in no particular order."""
    head = live.buffer.head
    behind = {listener.position for listener in live.listeners if listener.position < head}
    since = await queries.times_after(db, sorted(behind)) if behind else {}
    now = clock.now()
    return [
        SubscriberLag(
            listener.peer,
            listener.position,
            listener.is_live,
            max(0, head - listener.position),
            max(0.0, (now - since.get(listener.position, now)) / SECOND),
        )
        for listener in tuple(live.listeners)
    ]


@dataclass(frozen=True, slots=True)
class FederationSources:
    """What the federation status is read from. If the host is not ``is_federated``, no relay is asked, because opening
    the page on a development machine must not reveal that server to relays.
    """

    db: Database
    live: LiveEvents
    clock: Clock
    http: HttpClient
    crawl_requests: CrawlRequests
    is_federated: bool
    is_automatic: bool


async def subscribers_and_relays(sources: FederationSources) -> dict[str, Any]:
    """Return the federation status as JSON: subscribers and relays.

    Each relay is asked for its status of this host; a failure is reported as a problem.
    """
    http, crawl_requests, live = sources.http, sources.crawl_requests, sources.live
    relays = crawl_requests.relays if sources.is_federated else ()
    host_statuses = await asyncio.gather(
        *(_fetch_host_status(http, relay, crawl_requests.hostname) for relay in relays)
    )
    host_statuses = host_statuses or [{} for _ in crawl_requests.relays]
    accounts = await accounts_on_relays(sources.db, [relay.url for relay in crawl_requests.relays])
    return {
        "hostname": crawl_requests.hostname,
        "head": live.buffer.head,
        "announces": sources.is_automatic,
        "subscribers": [_subscriber(lag) for lag in await lags(sources.db, live, sources.clock)],
        "relays": [
            _relay(relay, host_status, accounts[relay.url])
            for relay, host_status in zip(crawl_requests.relays, host_statuses, strict=True)
        ],
    }


def worst(subscriber_lags: Sequence[SubscriberLag]) -> tuple[int, float]:
    """Return the longest lag in events and in seconds."""
    return max((lag.events for lag in subscriber_lags), default=0), max(
        (lag.seconds for lag in subscriber_lags), default=0.0
    )


def _subscriber(lag: SubscriberLag) -> dict[str, Any]:
    return {
        "peer": lag.peer,
        "position": lag.position,
        "live": lag.is_live,
        "behindEvents": lag.events,
        "behindSeconds": round(lag.seconds, 3),
    }


def _relay(relay: Relay, host_status: dict[str, Any], accounts: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "url": relay.url,
        "askedAt": relay.asked_at,
        "mayBeAskedAt": relay.operator_may_ask_at or None,
        "failures": relay.failures,
        "problem": relay.problem,
        "says": host_status,
        "accounts": accounts,
    }


async def _fetch_host_status(http: HttpClient, relay: Relay, hostname: str) -> dict[str, Any]:
    """Return what a relay says about this host: how far it has read, how many of the accounts it has, and whether it
    throttles them. If the relay fails, return only the ``problem``.
    """
    url = f"{relay.url}/xrpc/com.atproto.sync.getHostStatus?hostname={hostname}"
    try:
        response = (await http.get(url, timeout_seconds=_TIMEOUT_SECONDS)).expect_ok().json()
    except Failure as failure:
        return {"problem": failure.why}
    return (
        {name: response[name] for name in _HOST_STATUS_FIELDS if name in response} if isinstance(response, dict) else {}
    )


class FederationGauges:
    """Metrics of the lag: only the maximum over all subscribers, because metric labels must come from closed sets."""

    def __init__(self, metrics: Metrics) -> None:
        self.events: Gauge = metrics.gauge("firehose_lag_events", "Lag of the slowest subscriber, in events")
        self.seconds: Gauge = metrics.gauge(
            "firehose_lag_seconds", "Age of the oldest event not yet sent to every subscriber"
        )


async def watch(
    db: Database,
    live: LiveEvents,
    clock: Clock,
    crawl_requests: CrawlRequests,
    gauges: FederationGauges,
    *,
    is_automatic: bool,
) -> None:
    """Send due crawl requests (if ``is_automatic``) and measure lag, until cancelled."""
    while True:
        try:
            if is_automatic:
                await crawl_requests.ask_due()
            events, seconds = worst(await lags(db, live, clock))
            gauges.events.set(events)
            gauges.seconds.set(seconds)
        except Exception as error:  # noqa: BLE001 - an edge: one round that fails must not end the others
            log.error("federation.round_failed", **log_fields(error))
        await asyncio.sleep(TICK_SECONDS)
