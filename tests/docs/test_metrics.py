"""docs/metrics.md lists exactly the metrics that running programs export."""

import asyncio

from groundwork.telemetry.metrics import Metrics
from openmeet.network.ingestion.parsed_messages import IngestResult
from tests.docs.conftest import Opened
from tests.docs.tables import bare, section
from tests.timeouts import TIMEOUT_SECONDS

Row = tuple[str, str, str, str]


def measured(metrics: Metrics) -> set[Row]:
    """Name, kind, labels and meaning of every metric in a registry, except those of the client library itself."""
    found = set()
    for family in metrics.registry.collect():
        if family.name.startswith("process_"):
            continue
        collector = metrics.registry._names_to_collectors[family.name]
        name = f"{family.name}_total" if family.type == "counter" else family.name
        found.add((name, family.type, ", ".join(collector._labelnames), family.documentation))  # type: ignore[attr-defined]  # what it is besides its contract
    return found


def documented(heading: str) -> set[Row]:
    return {(bare(name), kind, labels, what) for name, kind, labels, what in section("metrics.md", heading)}


async def test_metrics_of_the_events_platform_are_listed(opened: Opened) -> None:
    """The page lists the metrics of the site and of all workers. A worker registers its metrics when it starts."""
    wanted = documented("Events platform")
    async with asyncio.timeout(TIMEOUT_SECONDS):
        while len(measured(opened.platform.metrics)) < len(wanted):  # noqa: ASYNC110  # a registry tells nobody
            await asyncio.sleep(0)
    assert measured(opened.platform.metrics) == wanted


async def test_metrics_of_the_pds_are_listed(opened: Opened) -> None:
    assert measured(opened.pds.metrics) == documented("Aurora Locus")


async def test_metrics_of_the_directory_are_listed(opened: Opened) -> None:
    assert measured(opened.directory_metrics) == documented("PLC directory")


def test_outcomes_of_ingestion() -> None:
    """The page lists the outcomes of ingestion, the only label values that are not those of HTTP. A message that was
    given up is counted in addition to the outcomes.
    """
    assert {bare(row[0]) for row in section("metrics.md", "What the outcomes mean")} == {*IngestResult, "buried"}
