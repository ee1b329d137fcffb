"""Two communities on one installation, with real programs: both receive events of the network, but nothing passes from
one to the other (invariant 5).
"""

import re
from collections.abc import AsyncIterator

import pytest

from tests.system.communities import Community, Installation, running_communities
from tests.system.tour.polling import eventually

PRIVATE = {
    "title": "The surprise",
    "startsLocal": "2037-06-01T18:00",
    "timeZone": "Europe/Vienna",
    "visibility": "private",
}


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
async def communities(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Installation]:
    """Both communities, running for all tests of this file, once on each engine."""
    url = request.getfixturevalue("postgres_url") if request.param == "postgresql" else ""
    async with running_communities(tmp_path_factory.mktemp("both"), url) as running:
        yield running


def bearer(session: dict[str, str]) -> dict[str, str]:
    return {"authorization": f"Bearer {session['token']}"}


async def named(community: Community, **headers: str) -> str:
    """The name in the heading of the front page."""
    text = (await community.get("/", **headers)).text
    (found,) = re.findall(r"<title>[^<]*(The \w+)</title>", text)
    return str(found)


async def test_event_of_the_network_arrives_once_in_each_community(communities: Installation) -> None:
    """The event is read and verified once, put into both queues, and applied in two databases."""
    uri = await communities.write("Board games")
    for one in (communities.town, communities.village):
        assert (await one.arrival(uri))["title"] == "Board games"


async def test_host_name_selects_the_site(communities: Installation) -> None:
    assert await named(communities.town) == "The town"
    assert await named(communities.village) == "The village"
    assert await named(communities.town, x_tenant_id="village") == "The town"
    assert await named(Community("", "https://elsewhere.example", communities.at)) == "The town"


async def test_cookie_of_one_community_is_invalid_in_the_other(communities: Installation) -> None:
    cookie = await communities.town.cookie(communities.ana)
    assert (await communities.town.get("/settings/profile", cookie=cookie)).status_code == 200
    assert (await communities.village.get("/settings/profile", cookie=cookie)).status_code == 303
    assert (await communities.town.get("/settings/profile", cookie=cookie, x_tenant_id="village")).status_code == 200


async def test_token_of_one_community_is_invalid_in_the_other(communities: Installation) -> None:
    """This holds for sessions and for tokens of programs, even if the request also names the community."""
    session = await communities.town.session(communities.ana)
    wanted = {"name": "a program", "scopes": ["read"]}
    made = await communities.town.ask("POST", "/api/tokens", wanted, **bearer(session))
    assert made.status_code == 201, made.text
    for token in (session, made.json()):
        assert (await communities.town.get("/api/events", **bearer(token))).status_code == 200
        assert (await communities.village.get("/api/events", **bearer(token))).status_code == 401
        assert (await communities.town.get("/api/events", **bearer(token), x_tenant_id="village")).status_code == 401
    theirs = await communities.village.session(communities.ana)
    found = await communities.town.get("/api/session", **bearer(theirs), x_tenant_id="village")
    assert found.json()["id"] == theirs["person"]["id"] != session["person"]["id"]


async def test_private_event_of_one_community_does_not_exist_in_the_other(communities: Installation) -> None:
    mine, theirs = await communities.town.session(communities.ana), await communities.village.session(communities.ana)
    made = await communities.town.ask("POST", "/api/events", PRIVATE, **bearer(mine))
    assert made.status_code == 201, made.text
    path = f"/api/events/{made.json()['slug']}"
    assert (await communities.town.get(path, **bearer(mine))).status_code == 200
    assert (await communities.village.get(path, **bearer(theirs))).status_code == 404
    found = await communities.village.get("/api/events?q=surprise", **bearer(theirs))
    assert found.json()["events"] == []


async def test_moderator_of_one_community_cannot_moderate_the_other(communities: Installation) -> None:
    """One person is a member of both, but only the town's settings name them as a moderator."""
    uri = await communities.write("Rude games")
    for community, status in ((communities.village, 403), (communities.town, 201)):
        path = f"/api/events/{(await community.arrival(uri))['slug']}/reports"
        said = await community.ask("POST", path, {"reason": "spam"}, **bearer(await community.session(communities.ben)))
        assert said.status_code == 201, said.text
        act = {"act": "hide", "thing": "event", "subjectId": said.json()["subjectId"], "reason": "Rude."}
        token = bearer(await community.session(communities.ana))
        assert (await community.ask("POST", "/api/moderation/acts", act, **token)).status_code == status
    assert await communities.town.events(uri) == []
    assert len(await communities.village.events(uri)) == 1


async def test_each_community_is_a_separate_oauth_client(communities: Installation) -> None:
    """There is one OAuth client per origin, with separate keys."""
    keys = []
    for one in (communities.town, communities.village):
        document = (await one.get("/client-metadata.json")).json()
        assert document["client_id"] == f"{one.origin}/client-metadata.json"
        assert document["redirect_uris"] == [f"{one.origin}/sign-in/callback"]
        keys.append({key["kid"] for key in (await one.get("/jwks.json")).json()["keys"]})
    assert keys[0]
    assert keys[1]
    assert not keys[0] & keys[1]


async def test_codes_are_mailed_in_the_name_of_the_requested_site(communities: Installation) -> None:
    """The publisher delivers e-mails for both. A code of one community cannot be used at the other."""
    asked = {
        one.name: await one.ask("POST", "/api/session/code", {"email": "mia@example.org"}) for one in sites(communities)
    }
    codes = {}
    for name, sender in (("default", "Town hall"), ("village", "The village")):

        async def mailed(name: str = name) -> list[str]:
            return communities.mails(name)

        (mail,) = await eventually(mailed)
        assert mail.startswith(f"From: {sender} <no-reply@town.example>")
        (codes[name],) = re.findall(r"^([2-9A-Y]{4} [2-9A-Y]{4})\r?$", mail, re.MULTILINE)
    swapped = {"challengeId": asked["village"].json()["challengeId"], "code": codes["village"]}
    assert (await communities.town.ask("POST", "/api/session", swapped)).status_code != 201
    assert (await communities.village.ask("POST", "/api/session", swapped)).status_code == 201


def sites(communities: Installation) -> tuple[Community, Community]:
    return communities.town, communities.village


async def test_flag_of_one_community_does_not_affect_the_other(communities: Installation) -> None:
    """The flag is switched at run time. Records that were skipped in the meantime are read when it is on again."""
    assert await communities.command("flags", "off", "events-in", "--why", "A test", "--tenant", "village") == (
        0,
        "events-in is off; it takes effect everywhere within 5 seconds.\n",
    )

    async def passed_over() -> str | None:
        uri = await communities.write("Quiet games")
        await communities.town.arrival(uri)
        waiting = "1"
        while not re.search(r"^waiting +0$", waiting, re.MULTILINE):
            _, waiting = await communities.command("queue", "status", "--tenant", "village")
        return None if await communities.village.events(uri) else uri

    uri = await eventually(passed_over)
    assert await communities.village.events(uri) == []
    status, said = await communities.command("flags", "on", "events-in", "--why", "It is over", "--tenant", "village")
    assert status == 0, said
    await communities.village.arrival(uri)
    _, history = await communities.command("flags", "history")
    assert history == "No flag has been switched yet.\n"


async def test_command_for_an_unknown_community_lists_the_existing_ones(communities: Installation) -> None:
    status, said = await communities.command("sync", "status", "--tenant", "hamlet")
    assert status == 1
    assert "There are: default, village." in said


async def test_new_community_receives_earlier_records(communities: Installation) -> None:
    """The last test of the file: the programs are restarted with one more table."""
    before = await communities.write("Old games")
    await communities.town.arrival(before)
    await communities.stop()
    communities.add("hamlet")
    await communities.start()
    hamlet = communities.communities["hamlet"]
    await hamlet.arrival(before)
    after = await communities.write("New games")
    for one in communities.communities.values():
        await one.arrival(after)
        assert len(await one.events(before)) == 1
