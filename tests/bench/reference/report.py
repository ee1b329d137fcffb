"""The table of results: both figures, their ratio and the target ratio, as text that is also Markdown."""

import datetime as dt
import json
from dataclasses import dataclass

from checks import reference
from tests.bench.figure import shown
from tests.bench.reference.sides import Side
from tests.external_dependencies import ROOT

DOCUMENT = ROOT / "docs/performance.md"
_BEGIN, _END = "<!-- measured: begin -->", "<!-- measured: end -->"


@dataclass(frozen=True)
class Row:
    """One measurement. ``goal``: how many times better ours should be."""

    name: str
    unit: str
    goal: float | None = None
    less_is_better: bool = False
    bound: float | None = None
    """An upper limit for our figure, independent of the other server."""


ROWS = (
    Row("accounts", "/s", 2),
    Row("single write", "ms", 4, less_is_better=True),
    Row("single writes", "/s"),
    Row("writes, 16 accounts", "/s", 6),
    Row("writes, 16 accounts, p99", "ms", less_is_better=True),
    Row("applyWrites of 100", "records/s", 5),
    Row("getRecord", "/s", 6),
    Row("listRecords of 50", "/s", 4),
    Row("sync.getRecord", "/s", 5),
    Row("getRepo", "MB/s", 3),
    Row("memory that getRepo added", "MiB", less_is_better=True),
    Row("firehose, 1 subscribers", "deliveries/s"),
    Row("firehose, 20 subscribers", "deliveries/s"),
    Row("firehose, 100 subscribers", "deliveries/s", 4),
    Row("acknowledgement to frame, p99", "ms", less_is_better=True, bound=20),
    Row("replay", "events/s", 3),
    Row("memory after 20 sign-ups", "MiB", 4, less_is_better=True),
    Row("memory at the end", "MiB", 4, less_is_better=True),
)


@dataclass(frozen=True)
class Report:
    machine: str
    ours: Side
    theirs: Side
    our_figures: dict[str, float]
    their_figures: dict[str, float]


def table(report: Report) -> str:
    """The table as Markdown that is also readable as text."""
    package = json.loads((reference.FOLDER / "node_modules/@atproto/pds/package.json").read_text())
    lines = [
        f"{dt.datetime.now(dt.UTC).date()}, {report.machine}; the reference is `@atproto/pds` {package['version']}.",
        "",
        f"| | {report.ours.name} | {report.theirs.name} | times better | wanted |",
        "|---|---:|---:|---:|---:|",
        *(_line(row, report) for row in ROWS),
        "",
        *(f"- {side.name}: {side.durability}. Import floor {side.floor_mb:.0f} MiB." for side in _sides(report)),
    ]
    return "\n".join(lines)


def record(report: Report) -> None:
    """Write the table to the document."""
    text = DOCUMENT.read_text(encoding="utf-8")
    before, _, rest = text.partition(_BEGIN)
    _, found, after = rest.partition(_END)
    if not found:
        raise ValueError(f"{DOCUMENT} has no place for the table ({_BEGIN} … {_END})")
    DOCUMENT.write_text(f"{before}{_BEGIN}\n\n{table(report)}\n\n{_END}{after}", encoding="utf-8")


def _sides(report: Report) -> tuple[Side, Side]:
    return report.ours, report.theirs


def _line(row: Row, report: Report) -> str:
    ours, theirs = report.our_figures[row.name], report.their_figures[row.name]
    ratio, holds, wanted = "", True, ""
    # A difference in memory can be zero or negative.
    if ours > 0 and theirs > 0:
        times = theirs / ours if row.less_is_better else ours / theirs
        ratio = f"{times:.1f}"
        holds = row.goal is None or times >= row.goal
    if row.goal is not None:
        wanted = f"{row.goal:g}" + ("" if holds else ", missed")
    if row.bound is not None:
        wanted = f"below {shown(row.bound, row.unit)}" + ("" if ours < row.bound else ", missed")
    return f"| {row.name} | {shown(ours, row.unit)} | {shown(theirs, row.unit)} | {ratio} | {wanted} |"
