"""How often one address and one account may call, and which callers are not counted."""

from typing import Any

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from aurora_locus.accounts import limits
from aurora_locus.xrpc import gate
from groundwork.clock import HOUR, MINUTE
from groundwork.rate_limit.contract import Limit
from groundwork.settings import Secret
from tests.aurora_locus.conftest import MakeDeployment
from tests.aurora_locus.deployment import SERVER, Deployment, Person

pytestmark = pytest.mark.parametrize("engine", ["sqlite"], indirect=True)

DESCRIBE = f"/xrpc/{SERVER}.describeServer"
NOTE = "org.example.note"
KEY = "a key of sixteen characters"


@pytest.fixture
def low_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """In development limits are a thousand times as high. These allow five requests and thirty points of writes."""
    monkeypatch.setattr(gate, "ADDRESS", Limit("address", 5, 300))
    monkeypatch.setattr(gate, "widen", lambda limit: limit)
    monkeypatch.setattr("aurora_locus.xrpc.limits.effective_limit", lambda _registry, limit: limit)


async def ask(deployment: Deployment, peer: str = "192.0.2.1", **headers: str) -> httpx.Response:
    return await deployment.http.get(DESCRIBE, headers={"x-forwarded-for": peer, **headers})


def limit_headers(answer: httpx.Response) -> tuple[str, str]:
    return answer.headers["ratelimit-limit"], answer.headers["ratelimit-remaining"]


def test_limits_equal_the_published_ones(engine: str) -> None:
    """The limits are the published ones of other servers of this network, for which apps are made."""
    assert engine
    assert (gate.ADDRESS.points, gate.ADDRESS.window_seconds) == (3000, 300)
    assert (limits.WRITES.points, limits.WRITES_DAILY.points) == (5000, 35_000)


@pytest.mark.usefixtures("low_limits")
async def test_every_response_reports_the_limit_until_it_is_exceeded(make_deployment: MakeDeployment) -> None:
    deployment = await make_deployment(trusted_proxy_hops=1)
    for left in ("4", "3", "2"):
        assert limit_headers(await ask(deployment)) == ("5", left)
    unknown = await deployment.http.get("/xrpc/com.example.unknown", headers={"x-forwarded-for": "192.0.2.1"})
    assert (unknown.status_code, *limit_headers(unknown)) == (501, "5", "1")
    failed = await deployment.http.get("/xrpc/com.atproto.repo.getRecord", headers={"x-forwarded-for": "192.0.2.1"})
    assert (failed.status_code, *limit_headers(failed)) == (400, "5", "0")
    refused = await ask(deployment)
    assert (refused.status_code, refused.json()["error"]) == (429, "RateLimitExceeded")
    assert refused.headers.get_list("ratelimit-remaining") == ["0"]
    assert refused.headers["retry-after"] == "300"
    assert refused.headers["ratelimit-policy"] == "5;w=300"
    assert (await ask(deployment, "192.0.2.2")).status_code == 200
    health = await deployment.http.get("/xrpc/_health", headers={"x-forwarded-for": "192.0.2.1"})
    assert health.status_code == 200
    deployment.clock.turn(5 * MINUTE)
    assert limit_headers(await ask(deployment)) == ("5", "4")


@pytest.mark.usefixtures("low_limits")
async def test_requests_with_invalid_credentials_are_counted(
    make_deployment: MakeDeployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each request counts before its credentials are checked, which costs more than most answers."""
    downloads = dict.fromkeys(("com.atproto.sync.getRepo", "com.atproto.sync.getCheckout"), Limit("get_repo", 3, 300))
    monkeypatch.setattr(gate, "_OWN_LIMITS", downloads)
    deployment = await make_deployment(trusted_proxy_hops=1)
    headers = {"authorization": "Bearer invalid", "x-forwarded-for": "192.0.2.1"}
    for method in downloads:
        path = f"/xrpc/{method}?did=did:plc:aaaaaaaaaaaaaaaaaaaaaaaa"
        answers = [await deployment.http.get(path, headers=headers) for _ in range(4)]
        assert 429 not in {answer.status_code for answer in answers[: len(answers) - 1]}
        assert (answers[-1].status_code, answers[-1].headers["ratelimit-limit"]) == (429, "3")
        deployment.clock.turn(5 * MINUTE)
    assert limit_headers(await ask(deployment)) == ("5", "4")


@pytest.mark.usefixtures("low_limits")
@pytest.mark.parametrize("path", ["xrpc/com.atproto.sync.subscribeRepos", "subscribe"])
async def test_opened_streams_are_counted(
    make_deployment: MakeDeployment, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    """Opening and closing streams is limited per address, because each opening reads the log."""
    monkeypatch.setattr(gate, "STREAM_OPENINGS", Limit("stream_openings", 3, 300))
    deployment = await make_deployment(trusted_proxy_hops=1, rate_limit_bypass_ips=("198.51.100.7",))

    async def opening(peer: str) -> int:
        url = f"{deployment.url.replace('http', 'ws')}/{path}"
        try:
            async with connect(url, additional_headers={"x-forwarded-for": peer}):
                return 101
        except InvalidStatus as refused:
            return refused.response.status_code

    assert [await opening("192.0.2.1") for _ in range(4)] == [101, 101, 101, 429]
    assert await opening("192.0.2.2") == 101
    assert [await opening("198.51.100.7") for _ in range(4)] == [101] * 4
    deployment.clock.turn(5 * MINUTE)
    assert await opening("192.0.2.1") == 101


@pytest.mark.usefixtures("low_limits")
@pytest.mark.parametrize(
    ("settings", "peer", "header", "is_counted"),
    [
        ({"rate_limits_enabled": False}, "192.0.2.1", "", False),
        ({"rate_limit_bypass_key": Secret(KEY)}, "192.0.2.1", KEY, False),
        ({"rate_limit_bypass_key": Secret(KEY)}, "192.0.2.1", "another key, as long as it", True),
        ({}, "192.0.2.1", "", True),
        ({"rate_limit_bypass_ips": ("198.51.100.7", "2001:db8::/32")}, "198.51.100.7", "", False),
        ({"rate_limit_bypass_ips": ("198.51.100.7", "2001:db8::/32")}, "2001:db8::1", "", False),
        ({"rate_limit_bypass_ips": ("198.51.100.7", "2001:db8::/32")}, "198.51.100.8", "", True),
        ({"rate_limit_bypass_ips": ("198.51.100.7",)}, "not an address", "", True),
    ],
    ids=["switched off", "key", "wrong key", "empty key", "address", "network", "other address", "no address"],
)
async def test_bypass_keys_and_addresses_are_not_counted(
    make_deployment: MakeDeployment, settings: dict[str, Any], peer: str, header: str, *, is_counted: bool
) -> None:
    deployment = await make_deployment(trusted_proxy_hops=1, **settings)
    answers = [await ask(deployment, peer, **{"x-ratelimit-bypass": header}) for _ in range(7)]
    assert [answer.status_code for answer in answers].count(429) == (2 if is_counted else 0)
    assert ("ratelimit-limit" in answers[0].headers) is is_counted


async def write(person: Person, name: str, **body: Any) -> httpx.Response:
    return await person.post(f"com.atproto.repo.{name}", {"repo": person.did, **body})


@pytest.mark.usefixtures("low_limits")
async def test_writes_cost_points(make_deployment: MakeDeployment, monkeypatch: pytest.MonkeyPatch) -> None:
    """A create costs three points, an update two, a delete one, and a batch the sum of its parts; counted per account,
    from any address.
    """
    monkeypatch.setattr(gate, "ADDRESS", Limit("address", 10_000, 300))
    deployment = await make_deployment()
    ana, ben = await deployment.sign_up("ana"), await deployment.sign_up("ben")
    full = limits.WRITES.points
    record = {"$type": NOTE, "text": "x"}
    made = await write(ana, "createRecord", collection=NOTE, rkey="a", record=record)
    assert limit_headers(made) == (str(full), str(full - 3))
    put = await write(ana, "putRecord", collection=NOTE, rkey="a", record={**record, "text": "y"})
    assert limit_headers(put) == (str(full), str(full - 5))
    gone = await write(ana, "deleteRecord", collection=NOTE, rkey="a")
    assert limit_headers(gone) == (str(full), str(full - 6))
    kind = "com.atproto.repo.applyWrites"
    batch = [
        *({"$type": f"{kind}#create", "collection": NOTE, "rkey": str(n), "value": record} for n in range(100)),
    ]
    assert limit_headers(await write(ana, "applyWrites", writes=batch)) == (str(full), str(full - 306))
    refused_writes = [{"$type": f"{kind}#create", "collection": NOTE, "value": record}] * 200
    answers = [await write(ana, "applyWrites", writes=refused_writes, swapCommit=made.json()["cid"]) for _ in range(8)]
    # A failed attempt counts; an attempt that exceeds the limit takes no points.
    assert [answer.status_code for answer in answers] == [400] * 7 + [429]
    assert answers[-1].headers["retry-after"] == "3600"
    assert (await write(ana, "createRecord", collection=NOTE, record=record)).status_code == 200
    assert limit_headers(await write(ben, "createRecord", collection=NOTE, record=record)) == (str(full), str(full - 3))
    deployment.clock.turn(HOUR)
    assert limit_headers(await write(ana, "createRecord", collection=NOTE, record=record)) == (str(full), str(full - 3))
