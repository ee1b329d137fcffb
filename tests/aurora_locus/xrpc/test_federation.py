"""The federation methods over sockets: the operator announces the host, sees its subscribers, and checks its relays."""

import asyncio
from typing import Any

import httpx
from websockets.asyncio.client import connect

from aurora_locus.federation import relay_accounts
from aurora_locus.federation.status import lags, worst
from aurora_locus.sequencer.subscription import StreamSubscription
from groundwork.clock import HOUR
from groundwork.http.client import HttpClient
from groundwork.http.reach import DEVELOPMENT
from tests.aurora_locus.conftest import MakeDeployment
from tests.aurora_locus.deployment import Deployment
from tests.aurora_locus.xrpc.recording_relay import FEDERATED_SETTINGS, SYNC, open_relay
from tests.aurora_locus.xrpc.refusals import refusal_of
from tests.timeouts import TIMEOUT_SECONDS


def host_of(deployment: Deployment) -> str:
    return deployment.settings.url.removeprefix("http://")


async def ask(deployment: Deployment, hostname: str) -> httpx.Response:
    return await deployment.administration.post(f"{SYNC}.requestCrawl", {"hostname": hostname})


async def federation_status(deployment: Deployment) -> dict[str, Any]:
    answer = await deployment.http.get("/admin/federation", headers=deployment.administration.headers)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def test_server_announces_itself_when_it_starts(make_deployment: MakeDeployment) -> None:
    async with open_relay() as relay:
        deployment = await make_deployment(
            **FEDERATED_SETTINGS, federation_auto_stream=True, federation_relay_urls=(relay.url,)
        )
        async with asyncio.timeout(TIMEOUT_SECONDS):
            await relay.asked_once.wait()
        assert relay.asked == [host_of(deployment)]


async def test_operator_can_request_a_crawl(make_deployment: MakeDeployment) -> None:
    """Relays are asked to crawl only when the operator requests it, and at most once in twenty minutes."""
    async with open_relay() as relay:
        deployment = await make_deployment(**FEDERATED_SETTINGS, federation_relay_urls=(relay.url,))
        assert relay.asked == []
        assert (await ask(deployment, host_of(deployment))).status_code == 200
        again = await ask(deployment, host_of(deployment))
        assert (again.status_code, again.json()["error"]) == (429, "RateLimitExceeded")
        assert relay.asked == [host_of(deployment)]
        deployment.clock.turn(HOUR)
        assert (await ask(deployment, host_of(deployment))).status_code == 200


async def test_crawl_requests_for_other_hosts_are_refused_locally(make_deployment: MakeDeployment) -> None:
    async with open_relay() as relay:
        deployment = await make_deployment(**FEDERATED_SETTINGS, federation_relay_urls=(relay.url,))
        for hostname in (
            "other.example",
            "10.0.0.1",
            f"{host_of(deployment)}/path",
            f"http://{host_of(deployment)}",
            "",
        ):
            refusal_of(await ask(deployment, hostname), "InvalidRequest")
        stranger = await deployment.stranger.post(f"{SYNC}.requestCrawl", {"hostname": host_of(deployment)})
        assert stranger.status_code == 401
        assert relay.asked == []


async def test_server_without_federation_requests_no_crawl(make_deployment: MakeDeployment) -> None:
    async with open_relay() as relay:
        deployment = await make_deployment(federation_relay_urls=(relay.url,))
        assert (await ask(deployment, host_of(deployment))).status_code == 403
        assert relay.asked == []


async def test_viewing_an_unannounced_server_contacts_no_relay(make_deployment: MakeDeployment) -> None:
    """Viewing an unannounced server does not contact a relay, although the defaults of a local network name the public
    one.
    """
    async with open_relay() as relay:
        deployment = await make_deployment(federation_relay_urls=(relay.url,))
        assert [one["says"] for one in (await federation_status(deployment))["relays"]] == [{}]
        assert relay.looked_up == []


async def test_server_lists_only_itself_as_a_host(deployment: Deployment) -> None:
    await deployment.sign_up("ana")
    own = (await deployment.stranger.get(f"{SYNC}.getHostStatus", hostname=host_of(deployment))).json()
    assert own == {"hostname": host_of(deployment), "seq": 4, "status": "active", "accountCount": 1}
    assert (await deployment.stranger.get(f"{SYNC}.listHosts")).json() == {"hosts": [own]}
    refusal_of(await deployment.stranger.get(f"{SYNC}.getHostStatus", hostname="other.example"), "HostNotFound")
    refusal_of(await deployment.stranger.get(f"{SYNC}.listHosts", cursor="1"), "InvalidRequest")


async def test_operator_sees_subscribers_and_their_lag(make_deployment: MakeDeployment) -> None:
    """The operator sees subscribers with their lag, and relays with what they report about this host."""
    async with open_relay() as relay:
        deployment = await make_deployment(
            **FEDERATED_SETTINGS, federation_relay_urls=(relay.url, "http://127.0.0.1:1")
        )
        await deployment.sign_up("ana")
        async with connect(f"{deployment.url.replace('http', 'ws')}/xrpc/{SYNC}.subscribeRepos?cursor=0") as socket:
            for _ in range(4):
                await socket.recv()
            while True:
                status = await federation_status(deployment)
                if status["subscribers"][0]["live"]:
                    break
        (subscriber,) = status["subscribers"]
        assert subscriber == {
            "peer": "127.0.0.1",
            "position": 4,
            "live": True,
            "behindEvents": 0,
            "behindSeconds": 0,
        }
        good, bad = status["relays"]
        assert good["says"] == {"seq": 3, "accountCount": 1, "status": "throttled"}
        assert good["accounts"] == {"counts": {}, "notRead": []}
        assert "problem" in bad["says"]


async def test_operator_sees_which_accounts_a_relay_lacks(make_deployment: MakeDeployment) -> None:
    """The operator sees which accounts a relay does not have. Each is checked about once a day; an unreachable relay
    changes nothing, and deleted accounts are dropped.
    """
    async with open_relay() as relay:
        relays = (relay.url, "http://127.0.0.1:1")
        deployment = await make_deployment(**FEDERATED_SETTINGS, federation_relay_urls=relays)
        people = {name: (await deployment.sign_up(name)).did for name in ("ana", "ben", "cleo", "dan")}
        relay.says = {
            people["ana"]: {"active": True, "rev": "3n2qak2xydeqa"},
            people["ben"]: {"active": True, "status": "throttled"},
            people["cleo"]: {"active": False, "status": "something new"},
        }

        http = HttpClient(DEVELOPMENT)

        async def ask_again() -> int:
            return await relay_accounts.ask_some(deployment.db, http, deployment.clock, relays)

        assert (await ask_again(), await ask_again()) == (4, 0)
        good, away = (await federation_status(deployment))["relays"]
        assert good["accounts"]["counts"] == {"active": 1, "other": 1, "throttled": 1, "unknown": 1}
        assert [(one["handle"], one["status"]) for one in good["accounts"]["notRead"]] == [
            ("cleo.test", "other"),
            ("ben.test", "throttled"),
            ("dan.test", "unknown"),
        ]
        assert away["accounts"] == {"counts": {}, "notRead": []}
        relay.says[people["ben"]] = {"active": True, "rev": "3n2qak2xydeqa"}
        deployment.clock.turn(25 * HOUR)
        assert await ask_again() == 4
        assert (await relay_accounts.count_by_status(deployment.db, relays))[relay.url]["active"] == 2
        await http.close()


async def test_account_that_a_relay_has_trouble_with_delays_no_others(make_deployment: MakeDeployment) -> None:
    """A relay that cannot answer about one account is still asked about the others. If it is overloaded, the last known
    statuses stay.
    """
    async with open_relay() as relay:
        deployment = await make_deployment(**FEDERATED_SETTINGS, federation_relay_urls=(relay.url,))
        first, second = sorted([(await deployment.sign_up(name)).did for name in ("ana", "ben")])
        relay.fails, relay.says = {first: 500}, {second: {"active": True}}
        http = HttpClient(DEVELOPMENT)

        async def ask_again() -> int:
            return await relay_accounts.ask_some(deployment.db, http, deployment.clock, [relay.url])

        assert await ask_again() == 2
        counts = await relay_accounts.count_by_status(deployment.db, [relay.url])
        assert counts == {relay.url: {"other": 1, "active": 1}}
        deployment.clock.turn(25 * HOUR)
        relay.fails = {first: 503, second: 503}
        assert await ask_again() == 0
        assert await relay_accounts.count_by_status(deployment.db, [relay.url]) == counts
        await http.close()


async def test_lag_is_shown_in_events_and_seconds(deployment: Deployment) -> None:
    """Lag is shown in events and seconds: here a subscriber has not received four events, the oldest ten seconds old."""
    await deployment.sign_up("ana")
    live = deployment.pds.live
    slow = StreamSubscription(0, is_live=False, peer="slow")
    live.listeners.add(slow)
    deployment.clock.turn(10_000_000)
    found = await lags(deployment.db, live, deployment.clock)
    live.listeners.discard(slow)
    assert worst(found) == (4, 10.0)
    assert worst([]) == (0, 0.0)


async def test_federation_status_is_only_for_the_operator(deployment: Deployment) -> None:
    ana = await deployment.sign_up("ana")
    for headers in ({}, ana.headers, {"authorization": httpx.BasicAuth("admin", "wrong")._auth_header}):
        assert (await deployment.http.get("/admin/federation", headers=headers)).status_code == 401


async def test_crawlers_are_counted(deployment: Deployment) -> None:
    ana = await deployment.sign_up("ana")
    for nsid, parameters in ((f"{SYNC}.getRepo", {"did": ana.did}), (f"{SYNC}.listRepos", {})):
        left = []
        for _ in range(2):
            answer = await deployment.http.get(f"/xrpc/{nsid}", params=parameters)
            assert answer.status_code == 200
            left.append(int(answer.headers["ratelimit-remaining"]))
        assert left[1] == left[0] - 1, nsid
