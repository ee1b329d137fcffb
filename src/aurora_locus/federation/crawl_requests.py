"""Crawl requests to relays: sent at start, and as long as no consumer reads new writes.

A relay gets at most one request in twenty minutes, no matter who causes it and how often the process restarts. After
failures there is exponential back-off with jitter, so that a relay that has been down is not called by every server at
once when it is available again.
"""

import asyncio
import json
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from aurora_locus.sequencer.live_events import LiveEvents
from groundwork.clock import HOUR, MINUTE, SECOND, Clock, Instant
from groundwork.errors import Failure, TooMany
from groundwork.http.client import HttpClient
from groundwork.telemetry.logs import log

SPACING = 20 * MINUTE
LONGEST_SPACING = 24 * HOUR
TICK_SECONDS = 15.0
_TIMEOUT_SECONDS = 10.0
_JITTER = 0.1
_SENTENCE = 300
_AT_ONCE = Instant(0)

Count = Callable[[str], None]
# Sends one crawl request, given the relay's URL and our host name. Returns a description of the failure, or None.
Ask = Callable[[str, str], Awaitable[str | None]]


@dataclass(frozen=True, slots=True)
class Relay:
    """State of a relay. ``next_at`` is when the server may ask by itself, ``head`` the number of the newest event at the
    time of the last request.
    """

    url: str
    asked_at: Instant | None = None
    next_at: Instant = _AT_ONCE
    failures: int = 0
    problem: str | None = None
    head: int = 0

    @property
    def operator_may_ask_at(self) -> Instant:
        """When an operator may ask. They know when a relay works again, so they need not wait as long after failures."""
        return self.next_at if self.asked_at is None else min(self.next_at, Instant(self.asked_at + SPACING))


def is_due(relay: Relay, now: Instant, *, head: int, is_read: bool) -> bool:
    """Whether to send an automatic request. ``is_read`` is True if anybody is connected to the stream."""
    if now < relay.next_at:
        return False
    if relay.asked_at is None or relay.failures:
        return True
    return head > relay.head and not is_read


def after_request(relay: Relay, now: Instant, *, head: int, problem: str | None, chance: float) -> Relay:
    """Return the relay's state after a request. ``chance``, between 0 and 1, spreads the time of the next one."""
    failures = 0 if problem is None else relay.failures + 1
    # The exponent is bounded before the power is computed, because a relay may be down for years.
    spacing = min(SPACING * 2 ** min(max(0, failures - 1), 16), LONGEST_SPACING)
    next_at = Instant(now + round(spacing * (1 + _JITTER * chance)))
    return Relay(relay.url, now, next_at, failures, problem, head)


class CrawlRequests:
    """The relays of this process and the results of their crawl requests. ``hostname`` is the name under which relays
    reach this server.
    """

    def __init__(
        self,
        ask: Ask,
        clock: Clock,
        live: LiveEvents,
        *,
        urls: Sequence[str],
        hostname: str,
        memory: Path,
        count: Count,
    ) -> None:
        self.hostname = hostname
        self.relays = _with_earlier_requests([Relay(url.rstrip("/")) for url in urls], memory, clock.now())
        self._ask_one = ask
        self._clock = clock
        self._live = live
        self._memory = memory
        self._count = count
        self._asking = asyncio.Lock()

    async def ask_due(self) -> None:
        """Send a request to each relay that is due."""
        await self._request_crawls(
            lambda relay, now: is_due(relay, now, head=self._live.buffer.head, is_read=bool(self._live.listeners))
        )

    async def ask_now(self) -> None:
        """Send a request to every relay on behalf of an operator, except to those that got a request less than twenty
        minutes ago. Raises TooMany if all of them did.
        """
        now = self._clock.now()
        next_at = min((relay.operator_may_ask_at for relay in self.relays), default=now)
        if now < next_at:
            why = "Every relay was asked less than twenty minutes ago."
            raise TooMany(why, after_seconds=(next_at - now) / SECOND)
        await self._request_crawls(lambda relay, now: now >= relay.operator_may_ask_at)

    async def _request_crawls(self, is_due: Callable[[Relay, Instant], bool]) -> None:
        async with self._asking:
            for index, relay in enumerate(self.relays):
                if is_due(relay, self._clock.now()):
                    head = self._live.buffer.head
                    problem = await self._request(relay)
                    chance = random.random()  # noqa: S311 - no secret
                    self.relays[index] = after_request(
                        relay, self._clock.now(), head=head, problem=problem, chance=chance
                    )
                    await asyncio.to_thread(_store_requests, self._memory, list(self.relays))

    async def _request(self, relay: Relay) -> str | None:
        problem = await self._ask_one(relay.url, self.hostname)
        self._count("failed" if problem else "asked")
        log.info("crawl.requested", relay=relay.url, problem=problem)
        return problem


def over_http(http: HttpClient) -> Ask:
    """Return a function that sends crawl requests over HTTP (``com.atproto.sync.requestCrawl``)."""

    async def ask(relay: str, hostname: str) -> str | None:
        url = f"{relay}/xrpc/com.atproto.sync.requestCrawl"
        try:
            response = await http.post_json(url, {"hostname": hostname}, timeout_seconds=_TIMEOUT_SECONDS)
        except Failure as failure:
            return str(failure.why)
        return None if response.is_ok else f"{response.status}: {response.body[:_SENTENCE].decode(errors='replace')}"

    return ask


def _with_earlier_requests(relays: list[Relay], memory: Path, now: Instant) -> list[Relay]:
    """Return the relays with the times of requests that earlier processes sent. An unreadable file is ignored."""
    try:
        stored = json.loads(memory.read_bytes())
        times = {str(url): int(at) for url, at in stored.items()}
    except (OSError, ValueError, ArithmeticError, AttributeError, TypeError):
        return relays
    # A start announces the server, but not within the minimum interval. A time in the future (the clock was set back)
    # is ignored.
    return [
        replace(relay, next_at=Instant(times[relay.url] + SPACING)) if times.get(relay.url, now + 1) <= now else relay
        for relay in relays
    ]


def _store_requests(memory: Path, relays: Sequence[Relay]) -> None:
    times = {relay.url: relay.asked_at for relay in relays if relay.asked_at is not None}
    new_file = memory.with_suffix(".new")
    try:
        memory.parent.mkdir(parents=True, exist_ok=True)
        new_file.write_text(json.dumps(times), encoding="ascii")
        new_file.replace(memory)
    except OSError as error:
        log.warning("crawl.not_remembered", problem=str(error))
