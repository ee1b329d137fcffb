"""Background task that sends due crawl requests and measures lag."""

import asyncio

from prometheus_client import Gauge

from aurora_locus.federation.crawl_requests import TICK_SECONDS, CrawlRequests
from aurora_locus.federation.status import lags, worst
from aurora_locus.sequencer.live_events import LiveEvents
from groundwork.clock import Clock
from groundwork.database.transaction import Database
from groundwork.telemetry.health import log_fields
from groundwork.telemetry.logs import log
from groundwork.telemetry.metrics import Metrics


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
