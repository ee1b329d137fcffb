"""Circuit breakers, one per server: after repeated failures, no caller sends requests to that server for a while.

A circuit is *closed* while calls succeed. It becomes *open* after several consecutive failures, and no calls are made
until ``open_until``. Then it is *half open*: a single call probes the server and either closes the circuit or opens it
for twice as long. A server that answers 429 to two accounts is not called until the time it states, because the limit
is then not the write budget of one account (``pacing`` handles write budgets).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from cachetools import LRUCache

from groundwork.clock import MINUTE, SECOND, Clock, Instant
from groundwork.errors import (
    CircuitOpen,
    Explanation,
    Failure,
    NoConnectionFree,
    RemoteFailed,
    RemoteSlow,
    TooMany,
    reason_of,
)

OPENS_AFTER: Final = 5
FIRST_PAUSE: Final = 30 * SECOND
LONGEST_PAUSE: Final = 15 * MINUTE
# Servers count calls per address in windows of five minutes (reference PDS, "Rate Limits"); hourly windows are per
# account.
LONGEST_BUSY: Final = 5 * MINUTE
# A task that probes can fail without reporting a result, so another one is allowed to probe after this time.
_PROBE_LASTS: Final = MINUTE
# More than there are PDSes. Strangers name servers, and a name below a domain costs nothing, so those that were called
# least recently are forgotten: their circuits close.
MAX_SERVERS: Final = 10_000
_NEVER: Final = Instant(0)


class CircuitState(StrEnum):
    """State of a server's circuit."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


@dataclass(frozen=True, slots=True)
class Circuit:
    """The circuit of one server.

    ``failures`` counts consecutive failures, and ``pauses`` counts how often the circuit opened since the server last
    worked. ``open_until`` is None while the circuit is closed.
    """

    service: str
    failures: int = 0
    pauses: int = 0
    open_until: Instant | None = None
    reason: Explanation | None = None
    changed_at: Instant = _NEVER

    def state(self, now: Instant) -> CircuitState:
        if self.open_until is None:
            return CircuitState.CLOSED
        return CircuitState.OPEN if now < self.open_until else CircuitState.HALF_OPEN


class Circuits:
    """The circuits of a program, shared by all its calls."""

    def __init__(self, clock: Clock, *, max_servers: int = MAX_SERVERS) -> None:
        self._clock = clock
        # Holds only servers that have failed since they last worked.
        self._known: LRUCache[str, Circuit] = LRUCache(max_servers)
        self._changed: set[str] = set()
        self._probing_until: LRUCache[str, Instant] = LRUCache(max_servers)
        self._busy: LRUCache[str, dict[str, Instant]] = LRUCache(max_servers)

    def of(self, service: str) -> Circuit:
        return self._known.get(service, Circuit(service))

    def state_of(self, service: str) -> CircuitState:
        return self.of(service).state(self._clock.now())

    def may_probe(self, service: str) -> bool:
        """Whether one call may probe this server now: the circuit is half open and no other probe is running."""
        now = self._clock.now()
        return self.state_of(service) is CircuitState.HALF_OPEN and now >= self._probing_until.get(service, now)

    def open_ones(self) -> list[str]:
        """Return the servers whose circuit is open."""
        now = self._clock.now()
        return [one.service for one in self._known.values() if one.state(now) is CircuitState.OPEN]

    def check(self, service: str) -> None:
        """Call this before a request. Raises CircuitOpen if the request must not be sent. On a half-open circuit, the
        request is the probe.
        """
        circuit = self._known.get(service)
        if circuit is None or circuit.open_until is None:
            return
        now = self._clock.now()
        again_at = circuit.open_until
        if now >= again_at:
            again_at = self._probing_until.get(service, now)
            if now >= again_at:
                self._probing_until[service] = Instant(now + _PROBE_LASTS)
                return
        host = service.partition("://")[2]
        raise CircuitOpen(
            f"{host} does not answer. It will be tried again soon.", after_seconds=(again_at - now) / SECOND
        )

    def note(self, service: str, failure: Failure | None, *, account: str = "") -> None:
        """Call this after a request. ``failure`` is None if the server answered, even if it rejected the request."""
        match failure:
            case TooMany():
                self._note_busy(service, account, failure)
            case NoConnectionFree():
                pass  # It was not called.
            case RemoteSlow():
                self._note_failed(service, reason_of(failure))
            case RemoteFailed() if failure.status is None or failure.status >= 500:
                self._note_failed(service, reason_of(failure))
            case _:
                self._note_worked(service)

    def adopt(self, others: Sequence[Circuit]) -> None:
        """Merge states recorded by other programs of this installation. For each server, the newer state is kept."""
        for one in others:
            if one.service not in self._changed and one.changed_at > self.of(one.service).changed_at:
                self._known[one.service] = one
        other_services = {one.service for one in others}
        # Another program's probe closed the circuit.
        for service in [*self._known]:
            if (
                service not in other_services
                and service not in self._changed
                and self._known[service].open_until is not None
            ):
                del self._known[service]

    def changed(self) -> list[Circuit]:
        """Return the circuits that opened or closed and were not stored since (``note_stored``)."""
        return [self.of(service) for service in sorted(self._changed)]

    def note_stored(self, stored: Sequence[Circuit]) -> None:
        """Call this with circuits that other programs can read now. Those that have changed since are still due."""
        self._changed -= {one.service for one in stored if self.of(one.service) == one}

    def _note_worked(self, service: str) -> None:
        circuit = self._known.pop(service, None)
        self._probing_until.pop(service, None)
        if circuit is not None and circuit.open_until is not None:
            self._changed.add(service)

    def _note_failed(self, service: str, why: Explanation) -> None:
        now, circuit = self._clock.now(), self.of(service)
        state = circuit.state(now)
        if state is CircuitState.OPEN:
            return  # The request was in flight when the circuit opened.
        failed = replace(circuit, failures=circuit.failures + 1, reason=why, changed_at=now)
        self._known[service] = failed
        if state is CircuitState.HALF_OPEN or failed.failures >= OPENS_AFTER:
            pause = min(FIRST_PAUSE * 2 ** min(failed.pauses, 10), LONGEST_PAUSE)
            self._open(failed, Instant(now + pause))

    def _note_busy(self, service: str, account: str, failure: TooMany) -> None:
        """Treat a 429 as the account's own limit if only one account got it, and otherwise as the server's limit."""
        now = self._clock.now()
        until = Instant(now + int(failure.after_seconds * SECOND))
        is_probing = self.state_of(service) is CircuitState.HALF_OPEN
        other_callers = {who: at for who, at in self._busy.get(service, {}).items() if at > now}
        self._busy[service] = {**other_callers, account: until}
        if not account or is_probing or len(self._busy[service]) > 1:
            circuit = replace(self.of(service), reason=reason_of(failure), changed_at=now)
            until = min(until, Instant(now + LONGEST_BUSY))
            if circuit.open_until is None or until > circuit.open_until:
                self._open(circuit, until)

    def _open(self, circuit: Circuit, until: Instant) -> None:
        self._known[circuit.service] = replace(circuit, open_until=until, pauses=circuit.pauses + 1)
        self._probing_until.pop(circuit.service, None)
        self._changed.add(circuit.service)
