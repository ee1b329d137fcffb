"""Strangers whom nobody can find: a DID that no directory knows, a handle that leads nowhere.

Whoever writes to the network may name such, as often as they like. It is nothing that an operator could mend: the debt about it is
settled and counted, and wakes nobody.
"""

from collections.abc import Callable

from prometheus_client import Counter

from groundwork.telemetry.metrics import Metrics

CountUnknown = Callable[[str], object]
"""Called with the kind of the debt that ended so."""


def uncounted(_kind: str) -> None:
    """For whoever has nothing to count with."""


def unknown_identities(metrics: Metrics) -> Counter:
    """Registered once per program."""
    return metrics.counter("unknown_identities", "Debts about strangers whom nobody can find, by kind", ["kind"])
