"""Invites that accounts earn over time."""

import pytest

from aurora_locus.accounts.invites import MAX_OPEN, EarningRule, count_due
from groundwork.clock import DAY, Instant
from tests.aurora_locus.conftest import MakeDeployment
from tests.aurora_locus.deployment import SERVER, Deployment, Person, together

MINE = f"{SERVER}.getAccountInviteCodes"
DAY_MS = DAY // 1000


@pytest.mark.parametrize(
    ("interval", "epoch", "now", "made", "open_now", "expected"),
    [
        (0, 0, 100, 0, 0, 0),
        (10, 0, 9, 0, 0, 0),
        (10, 0, 10, 0, 0, 1),
        (10, 0, 35, 1, 1, 2),
        (10, 0, 1000, 3, 3, 2),
        (10, 0, 1000, 7, 0, 5),
        (10, 0, 1000, 5, 5, 0),
        (10, 20, 35, 0, 0, 1),
        (10, 90, 35, 0, 0, 0),
    ],
)
def test_how_many_are_due(interval: int, epoch: int, now: int, made: int, open_now: int, expected: int) -> None:
    earning = EarningRule(interval, Instant(epoch))
    assert count_due(earning, since=0, now=now, created_count=made, open_now=open_now) == expected


async def codes(person: Person) -> list[str]:
    answer = await person.get(MINE)
    assert answer.status_code == 200, answer.text
    return [one["code"] for one in answer.json()["codes"]]


async def come_back(deployment: Deployment) -> Person:
    """Refresh the session after the old one has expired."""
    return deployment.person(await deployment.sign_in("ana.test", "password of ana"))


async def test_one_invite_is_earned_per_interval_and_five_may_be_unused(make_deployment: MakeDeployment) -> None:
    """One invite per interval, and five unused ones at most, even for concurrent requests. Those from administrators do
    not count.
    """
    deployment = await make_deployment(invite_interval=DAY_MS)
    ana = await deployment.sign_up("ana")
    await deployment.administration.post(f"{SERVER}.createInviteCode", {"useCount": 1, "forAccount": ana.did})
    assert len(await codes(ana)) == 1
    deployment.clock.turn(2 * DAY)
    ana = await come_back(deployment)
    unasked = await ana.get(MINE, createAvailable="false")
    assert len(unasked.json()["codes"]) == 1
    await together(*(ana.get(MINE) for _ in range(6)))
    assert len(await codes(ana)) == 1 + 2
    deployment.clock.turn(30 * DAY)
    ana = await come_back(deployment)
    first = await codes(ana)
    assert len(first) == 1 + MAX_OPEN
    assert await codes(ana) == first


async def test_nothing_is_earned_by_default(deployment: Deployment) -> None:
    ana = await deployment.sign_up("ana")
    deployment.clock.turn(300 * DAY)
    assert await codes(await come_back(deployment)) == []
    assert ana.did
