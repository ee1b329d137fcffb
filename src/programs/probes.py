"""Probes of each role of the platform, run every few seconds (see ``groundwork.telemetry.probes``)."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Final

from groundwork.blobstore.contract import try_writing
from groundwork.database.durable_write import write_durably
from groundwork.telemetry.probes import Probe
from openmeet.tenants.health import WRITES, check_name, checks_of, probe_name
from programs.platform import Installation, Platform

# A picture store can be a bucket, which charges per request.
_PICTURES_SECONDS: Final = 30.0
_NETWORK: Final = "network writes"


@dataclass(frozen=True, slots=True)
class NeededChecks:
    """The checks that a role needs in every community. ``of_network``: it also needs the shared database; if that is
    unavailable, it serves no community.

    ``wished``: checks that may fail while a community is served. The community's health is then ``degraded``.
    """

    of_each: Collection[str]
    wished: Collection[str] = ()
    of_network: bool = False


WEB: Final = NeededChecks((WRITES,), wished=("pictures",))
CONSUMER: Final = NeededChecks(("queue",), of_network=True)
PROCESSOR: Final = NeededChecks((WRITES, "queue"))
PUBLISHER: Final = NeededChecks((WRITES,), of_network=True)
SCHEDULER: Final = NeededChecks((WRITES,))


def probes_of(installation: Installation, needed: NeededChecks) -> dict[str, Probe]:
    """Probes by name: ``database``, ``writes``, ``writes of village``."""
    probes = {name: Probe(check) for name, check in checks_of(one.tenant for one in installation.platforms).items()}
    probes |= {
        probe_name(kind, one.tenant.name): _PROBES[kind](one)
        for one in installation.platforms
        for kind in (*needed.of_each, *needed.wished)
    }
    if needed.of_network:
        network = installation.default.installation
        probes[_NETWORK] = Probe(lambda: write_durably(network, "openmeet.network.firehose"))
    return probes


def serving_of(installation: Installation, needed: NeededChecks) -> list[list[str]]:
    """By community, the names of the checks and probes without which it is not served."""
    shared = [_NETWORK] if needed.of_network else []
    return [
        [check_name(one.tenant.name), *(probe_name(kind, one.tenant.name) for kind in needed.of_each), *shared]
        for one in installation.platforms
    ]


def _writes(platform: Platform) -> Probe:
    return Probe(lambda: write_durably(platform.db, "openmeet"))


def _queue_probe(platform: Platform) -> Probe:
    return Probe(platform.queue.try_round_trip)


def _pictures_probe(platform: Platform) -> Probe:
    advice = (
        "Check the settings OPENMEET_BLOBS…, and the credentials if it is a bucket; until then, pictures cannot be "
        "uploaded."
    )
    return Probe(lambda: try_writing(platform.pictures, "web"), every_seconds=_PICTURES_SECONDS, advice=advice)


_PROBES: Final[dict[str, Callable[[Platform], Probe]]] = {
    WRITES: _writes,
    "queue": _queue_probe,
    "pictures": _pictures_probe,
}
