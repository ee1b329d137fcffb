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
async def both(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Installation]:
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


async def test_event_of_the_network_arrives_once_in_each_community(both: Installation) -> None:
    """The event is read and verified once, put into both queues, and applied in two databases."""
    uri = await both.write("Board games")
    for one in (both.town, both.village):
        assert (await one.arrival(uri))["title"] == "Board games"


async def test_host_name_selects_the_site(both: Installation) -> None:
    assert await named(both.town) == "The town"
    assert await named(both.village) == "The village"
    assert await named(both.town, x_tenant_id="village") == "The town"
    assert await named(Community("", "https://elsewhere.example", both.at)) == "The town"


async def test_cookie_of_one_community_is_invalid_in_the_other(both: Installation) -> None:
    cookie = await both.town.cookie(both.ana)
    assert (await both.town.get("/settings/profile", cookie=cookie)).status_code == 200
    assert (await both.village.get("/settings/profile", cookie=cookie)).status_code == 303
    assert (await both.town.get("/settings/profile", cookie=cookie, x_tenant_id="village")).status_code == 200


async def test_token_of_one_community_is_invalid_in_the_other(both: Installation) -> None:
    """This holds for sessions and for tokens of programs, even if the request also names the community."""
    session = await both.town.session(both.ana)
    wanted = {"name": "a program", "scopes": ["read"]}
    made = await both.town.ask("POST", "/api/tokens", wanted, **bearer(session))
    assert made.status_code == 201, made.text
    for token in (session, made.json()):
        assert (await both.town.get("/api/events", **bearer(token))).status_code == 200
        assert (await both.village.get("/api/events", **bearer(token))).status_code == 401
        assert (await both.town.get("/api/events", **bearer(token), x_tenant_id="village")).status_code == 401
    theirs = await both.village.session(both.ana)
    found = await both.town.get("/api/session", **bearer(theirs), x_tenant_id="village")
    assert found.json()["id"] == theirs["person"]["id"] != session["person"]["id"]


async def test_private_event_of_one_community_does_not_exist_in_the_other(both: Installation) -> None:
    mine, theirs = await both.town.session(both.ana), await both.village.session(both.ana)
    made = await both.town.ask("POST", "/api/events", PRIVATE, **bearer(mine))
    assert made.status_code == 201, made.text
    path = f"/api/events/{made.json()['slug']}"
    assert (await both.town.get(path, **bearer(mine))).status_code == 200
    assert (await both.village.get(path, **bearer(theirs))).status_code == 404
    found = await both.village.get("/api/events?q=surprise", **bearer(theirs))
    assert found.json()["events"] == []


async def test_moderator_of_one_community_cannot_moderate_the_other(both: Installation) -> None:
    """One person is a member of both, but only the town's settings name them as a moderator."""
    uri = await both.write("Rude games")
    for community, status in ((both.village, 403), (both.town, 201)):
        path = f"/api/events/{(await community.arrival(uri))['slug']}/reports"
        said = await community.ask("POST", path, {"reason": "spam"}, **bearer(await community.session(both.ben)))
        assert said.status_code == 201, said.text
        act = {"act": "hide", "thing": "event", "subjectId": said.json()["subjectId"], "reason": "Rude."}
        token = bearer(await community.session(both.ana))
        assert (await community.ask("POST", "/api/moderation/acts", act, **token)).status_code == status
    assert await both.town.events(uri) == []
    assert len(await both.village.events(uri)) == 1


async def test_each_community_is_a_separate_oauth_client(both: Installation) -> None:
    """There is one OAuth client per origin, with separate keys."""
    keys = []
    for one in (both.town, both.village):
        document = (await one.get("/client-metadata.json")).json()
        assert document["client_id"] == f"{one.origin}/client-metadata.json"
        assert document["redirect_uris"] == [f"{one.origin}/sign-in/callback"]
        keys.append({key["kid"] for key in (await one.get("/jwks.json")).json()["keys"]})
    assert keys[0]
    assert keys[1]
    assert not keys[0] & keys[1]


async def test_codes_are_mailed_in_the_name_of_the_requested_site(both: Installation) -> None:
    """The publisher delivers e-mails for both. A code of one community cannot be used at the other."""
    asked = {one.name: await one.ask("POST", "/api/session/code", {"email": "mia@example.org"}) for one in sites(both)}
    codes = {}
    for name, sender in (("default", "Town hall"), ("village", "The village")):

        async def mailed(name: str = name) -> list[str]:
            return both.mails(name)

        (mail,) = await eventually(mailed)
        assert mail.startswith(f"From: {sender} <no-reply@town.example>")
        (codes[name],) = re.findall(r"^([2-9A-Y]{4} [2-9A-Y]{4})\r?$", mail, re.MULTILINE)
    swapped = {"challengeId": asked["village"].json()["challengeId"], "code": codes["village"]}
    assert (await both.town.ask("POST", "/api/session", swapped)).status_code != 201
    assert (await both.village.ask("POST", "/api/session", swapped)).status_code == 201


def sites(both: Installation) -> tuple[Community, Community]:
    return both.town, both.village


async def test_flag_of_one_community_does_not_affect_the_other(both: Installation) -> None:
    """The flag is switched at run time. Records that were skipped in the meantime are read when it is on again."""
    assert await both.command("flags", "off", "events-in", "--why", "A test", "--tenant", "village") == (
        0,
        "events-in is off; it takes effect everywhere within 5 seconds.\n",
    )

    async def passed_over() -> str | None:
        uri = await both.write("Quiet games")
        await both.town.arrival(uri)
        waiting = "1"
        while not re.search(r"^waiting +0$", waiting, re.MULTILINE):
            _, waiting = await both.command("queue", "status", "--tenant", "village")
        return None if await both.village.events(uri) else uri

    uri = await eventually(passed_over)
    assert await both.village.events(uri) == []
    status, said = await both.command("flags", "on", "events-in", "--why", "It is over", "--tenant", "village")
    assert status == 0, said
    await both.village.arrival(uri)
    _, history = await both.command("flags", "history")
    assert history == "No flag has been switched yet.\n"


async def test_command_for_an_unknown_community_lists_the_existing_ones(both: Installation) -> None:
    status, said = await both.command("sync", "status", "--tenant", "hamlet")
    assert status == 1
    assert "There are: default, village." in said


async def test_new_community_receives_earlier_records(both: Installation) -> None:
    """The last test of the file: the programs are restarted with one more table."""
    before = await both.write("Old games")
    await both.town.arrival(before)
    await both.stop()
    both.add("hamlet")
    await both.start()
    hamlet = both.communities["hamlet"]
    await hamlet.arrival(before)
    after = await both.write("New games")
    for one in both.communities.values():
        await one.arrival(after)
        assert len(await one.events(before)) == 1
