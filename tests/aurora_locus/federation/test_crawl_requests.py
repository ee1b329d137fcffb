"""When relays are asked to crawl this server, and when they are not."""

from pathlib import Path

import pytest

from aurora_locus.federation.crawl_requests import LONGEST_SPACING, SPACING, CrawlRequests, Relay, after_request, is_due
from aurora_locus.repository.repositories import Repositories
from aurora_locus.sequencer.subscription import StreamSubscription
from groundwork.clock import HOUR, MINUTE, HandClock, Instant
from groundwork.errors import TooMany
from tests.aurora_locus.hosted_repository import HostedRepository

ONE, OTHER = "https://one.example", "https://other.example"


class Relays:
    """Records the requests to relays, some of which may be down."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.down: set[str] = set()
        self.outcomes: list[str] = []

    async def ask(self, relay: str, hostname: str) -> str | None:
        assert hostname == "pds.example"
        self.asked.append(relay)
        return "down" if relay in self.down else None


@pytest.fixture
def relays() -> Relays:
    return Relays()


def crawling(relays: Relays, repositories: Repositories, folder: Path, *urls: str) -> CrawlRequests:
    return CrawlRequests(
        relays.ask,
        repositories.clock,
        repositories.live,
        urls=urls or (f"{ONE}/",),
        hostname="pds.example",
        memory=folder / "kept" / "crawl_requests.json",
        count=relays.outcomes.append,
    )


async def test_relays_are_asked_at_start_and_then_only_after_new_commits(
    relays: Relays, repositories: Repositories, clock: HandClock, tmp_path: Path
):
    """At its start the server asks the relays to crawl it. Without new commits it does not ask again."""
    requests = crawling(relays, repositories, tmp_path, ONE, OTHER)
    for _ in range(10):
        await requests.ask_due()
        clock.turn(HOUR)
    assert relays.asked == [ONE, OTHER]
    assert relays.outcomes == ["asked", "asked"]


async def test_unread_commits_cause_a_crawl_request_every_twenty_minutes_at_most(
    relays: Relays, repositories: Repositories, clock: HandClock, tmp_path: Path, ada: HostedRepository
):
    requests = crawling(relays, repositories, tmp_path)
    await requests.ask_due()
    for number in range(60):
        await ada.create(f"k{number}")
        clock.turn(MINUTE)
        await requests.ask_due()
    assert 3 <= len(relays.asked) <= 4


async def test_connected_relays_are_not_asked_to_crawl(
    relays: Relays, repositories: Repositories, clock: HandClock, tmp_path: Path, ada: HostedRepository
):
    requests = crawling(relays, repositories, tmp_path)
    await requests.ask_due()
    reading = StreamSubscription(0, is_live=True, peer="")
    repositories.live.listeners.add(reading)
    await ada.create("a")
    clock.turn(HOUR)
    await requests.ask_due()
    assert len(relays.asked) == 1
    repositories.live.listeners.discard(reading)
    await requests.ask_due()
    assert len(relays.asked) == 2


async def test_pauses_grow_after_failures(relays: Relays, repositories: Repositories, clock: HandClock, tmp_path: Path):
    """The pauses after failures grow. A relay that is down is retried without new commits; one that has answered is
    not.
    """
    relays.down.add(ONE)
    requests = crawling(relays, repositories, tmp_path, ONE, OTHER)
    for _ in range(24 * 60):
        await requests.ask_due()
        clock.turn(MINUTE)
    assert relays.asked.count(OTHER) == 1
    assert 5 <= relays.asked.count(ONE) <= 7
    assert requests.relays[0].problem == "down"
    relays.down.clear()
    clock.turn(2 * LONGEST_SPACING)
    await requests.ask_due()
    assert (requests.relays[0].problem, requests.relays[0].failures) == (None, 0)


async def test_restarts_do_not_ask_again(relays: Relays, repositories: Repositories, clock: HandClock, tmp_path: Path):
    for _ in range(5):
        await crawling(relays, repositories, tmp_path).ask_due()
        clock.turn(MINUTE)
    assert len(relays.asked) == 1
    clock.turn(SPACING)
    await crawling(relays, repositories, tmp_path).ask_due()
    assert len(relays.asked) == 2


@pytest.mark.parametrize(
    "left", [b"", b"{", b"[]", b'{"https://one.example": "x"}', b"\xff", b'{"https://one.example": 1e400}']
)
async def test_unreadable_state_counts_as_none(relays: Relays, repositories: Repositories, tmp_path: Path, left: bytes):
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "crawl_requests.json").write_bytes(left)
    await crawling(relays, repositories, tmp_path).ask_due()
    assert relays.asked == [ONE]


async def test_operator_may_ask_within_the_same_limit(
    relays: Relays, repositories: Repositories, clock: HandClock, tmp_path: Path
):
    requests = crawling(relays, repositories, tmp_path)
    await requests.ask_now()
    with pytest.raises(TooMany) as refused:
        await requests.ask_now()
    assert SPACING / 1e6 <= refused.value.after_seconds <= 1.2 * SPACING / 1e6
    clock.turn(2 * SPACING)
    await requests.ask_now()
    assert len(relays.asked) == 2


async def test_operator_need_not_wait_for_the_pause_after_failures(
    relays: Relays, repositories: Repositories, clock: HandClock, tmp_path: Path
):
    relays.down.add(ONE)
    requests = crawling(relays, repositories, tmp_path)
    for _ in range(5):
        await requests.ask_due()
        clock.turn(LONGEST_SPACING)
    await requests.ask_due()
    assert requests.relays[0].next_at > clock.now() + 2 * SPACING
    with pytest.raises(TooMany):
        await requests.ask_now()
    clock.turn(SPACING)
    relays.down.clear()
    await requests.ask_now()
    assert requests.relays[0].problem is None


@pytest.mark.parametrize("failures", [0, 1, 5, 100, 100_000])
@pytest.mark.parametrize("chance", [0.0, 1.0])
def test_pause_is_between_twenty_minutes_and_a_day(failures: int, chance: float):
    relay = Relay(ONE, failures=failures)
    after = after_request(relay, Instant(0), head=0, problem="down", chance=chance)
    assert SPACING <= after.next_at <= LONGEST_SPACING * 1.1
    assert not is_due(after, Instant(after.next_at - 1), head=1, is_read=False)
    assert is_due(after, after.next_at, head=0, is_read=True)
