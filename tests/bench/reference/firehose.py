"""The firehose of both servers: while sixteen accounts write, at a slow pace, and from the beginning."""

import asyncio
import json
import sys
from time import monotonic
from typing import Any

from tests.bench.figure import check
from tests.bench.reference.minimal_http import Answer, connect, in_turn
from tests.bench.reference.work import CONNECTIONS, Run, Scale, check_created, create
from tests.bench.timing import percentile
from tests.external_dependencies import ROOT

CROWDS = (1, 20, 100)
_LARGEST_GROUP = 50
_PACE_SECONDS = 0.02
# The server registers a live subscriber just after the handshake.
_WAIT_SECONDS = 0.5


async def live(run: Run, scale: Scale) -> None:
    """To 1, 20 and 100 subscribers, while sixteen accounts write as fast as they are answered."""
    for crowd in CROWDS:
        made = [[create(run, person) for _ in range(scale.live_each)] for person in run.people[:CONNECTIONS]]
        followers = await _follow(run, crowd, CONNECTIONS * scale.live_each)
        begun = monotonic()
        _, answers = await in_turn(run.side.port, *([request for request, _ in lane] for lane in made))
        reports = await _reports(followers)
        acknowledged: dict[str, float] = {}
        for lane, asked in zip(answers, made, strict=True):
            commits = check_created(lane, [cid for _, cid in asked])
            acknowledged.update(zip(commits, (answer.at for answer in lane), strict=True))
        delays = _delays(reports, acknowledged)
        last = max(arrivals[-1] for report in reports for arrivals in report["arrivals"])
        run.figures[f"firehose, {crowd} subscribers"] = len(delays) / (last - begun)


async def paced(run: Run, scale: Scale) -> None:
    """Time from acknowledgement to frame with 100 subscribers and 50 writes a second: the cost of the subscribers for a
    write without a backlog.
    """
    made = [create(run, run.people[number % CONNECTIONS]) for number in range(scale.paced)]
    followers = await _follow(run, CROWDS[-1], scale.paced)
    connection = await connect(run.side.port)
    answers: list[Answer] = []
    begun = monotonic()
    for number, (request, _) in enumerate(made):
        await asyncio.sleep(max(0.0, begun + number * _PACE_SECONDS - monotonic()))
        answers.append(await connection.ask(request))
    connection.close()
    reports = await _reports(followers)
    commits = check_created(answers, [cid for _, cid in made])
    run.head = commits[-1]
    delays = _delays(reports, dict(zip(commits, (answer.at for answer in answers), strict=True)))
    run.figures["acknowledgement to frame, p99"] = percentile(delays, 0.99) * 1000


async def replay(run: Run, _: Scale) -> None:
    """Everything since the beginning, to one subscriber."""
    (report,) = await _reports(await _follow(run, 1, run.head, cursor=0, waits=False))
    check(report["commits"][-1] == run.head, "the replay ended early")
    run.figures["replay"] = report["frames"] / (report["arrivals"][0][-1] - report["connected"])


def _delays(reports: list[dict[str, Any]], acknowledged: dict[str, float]) -> list[float]:
    """Seconds from the response to each write until each subscriber has the frame; 0 if the frame came first. Checks
    that all subscribers received the same frames, including the one of each write.
    """
    check(len({checksum for report in reports for checksum in report["checksums"]}) == 1, "subscribers differ")
    delays = []
    for report in reports:
        check(set(report["commits"]) == acknowledged.keys(), "the firehose has other commits than were acknowledged")
        for arrivals in report["arrivals"]:
            delays += [
                max(0.0, at - acknowledged[commit]) for commit, at in zip(report["commits"], arrivals, strict=True)
            ]
    return delays


async def _follow(
    run: Run, crowd: int, end: int | str, cursor: int | None = None, *, waits: bool = True
) -> list[asyncio.subprocess.Process]:
    groups = [min(_LARGEST_GROUP, crowd - first) for first in range(0, crowd, _LARGEST_GROUP)]
    followers = []
    for size in groups:
        arguments = [run.side.url, str(size), str(end), *([] if cursor is None else [str(cursor)])]
        command = [sys.executable, "-m", "tests.bench.reference.follow", *arguments]
        # A report is one long line.
        followers.append(
            await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=asyncio.subprocess.PIPE, limit=1 << 28)
        )
    for follower in followers:
        assert follower.stdout is not None
        check(await follower.stdout.readline() == b"ready\n", "the subscribers did not connect")
    if waits:
        await asyncio.sleep(_WAIT_SECONDS)
    return followers


async def _reports(followers: list[asyncio.subprocess.Process]) -> list[dict[str, Any]]:
    async def report(follower: asyncio.subprocess.Process) -> dict[str, Any]:
        assert follower.stdout is not None
        text = await asyncio.wait_for(follower.stdout.readline(), 300)
        check(await follower.wait() == 0 and bool(text), "the subscribers did not get all frames")
        told: dict[str, Any] = json.loads(text)
        return told

    return list(await asyncio.gather(*map(report, followers)))
