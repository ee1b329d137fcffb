"""Groups as API clients see them, and a search by a stranger for a secret of the members at every URL."""

from http import HTTPStatus
from urllib.parse import unquote_plus

import pytest

from openmeet.domain.moderation import actions as moderation
from openmeet.domain.moderation.model import ModeratedKind, Subject, SubjectVisibility
from openmeet.routes import operations, pages
from tests.openmeet.identities.offline_clients import offline_publishing
from tests.openmeet.privacy.site_crawler import UNLIMITED
from tests.openmeet.site_under_test import api_session, person, sign_up, signed_in, site_on

GROUP = {"name": "Chess club", "timeZone": "Europe/Berlin"}
SECRET = "zugzwang"
EVENT = {
    "title": f"The {SECRET} evening",
    "description": SECRET,
    "startsLocal": "2026-07-04T18:00",
    "timeZone": "Europe/Berlin",
    "venue": {"name": SECRET},
    "onlineUrl": f"https://{SECRET}.example/",
}


@pytest.fixture
async def site(make_database, clock):
    async with offline_publishing(clock) as publishing:
        yield site_on(await make_database("openmeet"), clock, publishing=publishing, **UNLIMITED)


@pytest.fixture
async def client(site):
    async with site.browser() as browser:
        yield browser


@pytest.fixture
async def ana(client):
    return await api_session(client, "ana@example.org", "Ana")


@pytest.fixture
async def ben(client):
    return await api_session(client, "ben@example.org", "Ben")


async def make(client, who, **changes: object) -> str:
    answer = await client.post("/api/groups", json=GROUP | changes, headers=who)
    assert answer.status_code == 201, answer.text
    return answer.headers["location"]


async def person_id(client, who) -> str:
    return (await client.get("/api/me", headers=who)).json()["id"]


async def test_a_group_is_created_changed_with_its_etag_and_found_at_both_urls(client, ana):
    path = await make(client, ana)
    shown = await client.get(path)
    assert (shown.json()["joinPolicy"], shown.json()["members"], shown.json()["ownerId"]) == ("open", 1, None)
    tag = {"if-match": shown.headers["etag"]}
    saved = await client.put(path, json=GROUP | {"name": "Go club"}, headers=ana | tag)
    assert (saved.status_code, saved.json()["myRole"]) == (200, "owner")
    assert (await client.get(path)).json()["slug"] == saved.json()["slug"] != path.rpartition("/")[2]
    late = await client.put(path, json=GROUP, headers=ana | tag)
    assert (late.status_code, late.headers["content-type"]) == (412, "application/problem+json")


async def test_lists_continue_at_their_cursor(client, ana):
    for name in ("Bridge", "Chess", "Dominoes"):
        await make(client, ana, name=name)
    first = (await client.get("/api/groups?limit=2")).json()
    rest = (await client.get(f"/api/groups?limit=2&cursor={first['cursor']}")).json()
    assert [one["name"] for one in first["groups"] + rest["groups"]] == ["Bridge", "Chess", "Dominoes"]
    assert rest["cursor"] is None
    assert [one["name"] for one in (await client.get("/api/groups?q=chess")).json()["groups"]] == ["Chess"]


async def test_a_cursor_does_not_reveal_where_a_hidden_group_stands_in_the_alphabet(client, ana, ben):
    await make(client, ana, name="Dominoes")
    hidden = (await client.get(await make(client, ana, name="Chess", visibility="private"), headers=ana)).json()["id"]
    for who in ({}, ben):
        assert (await client.get(f"/api/groups?cursor={hidden}", headers=who)).status_code == 400
        assert "Dominoes" in (await client.get(f"/groups?after={hidden}", headers=who)).text
    mine = await client.get(f"/api/my/groups?cursor={hidden}", headers=ana)
    assert [one["name"] for one in mine.json()["groups"]] == ["Dominoes"]


async def test_requesting_deciding_and_leaving(client, ana, ben):
    path = await make(client, ana, joinPolicy="request", joinQuestion="Why us?")
    assert (await client.put(f"{path}/membership", json={}, headers=ben)).status_code == 400
    asked = await client.put(f"{path}/membership", json={"answer": "I play."}, headers=ben)
    assert (asked.json()["role"], asked.json()["decidedBy"]) == ("pending", None)
    waiting = (await client.get(f"{path}/members?role=pending", headers=ana)).json()["members"]
    assert [(one["displayName"], one["answer"]) for one in waiting] == [("Ben", "I play.")]
    decision = {"userIds": [waiting[0]["userId"]], "letsIn": True}
    assert (await client.post(f"{path}/decisions", json=decision, headers=ben)).status_code == 403
    assert (await client.post(f"{path}/decisions", json=decision, headers=ana)).json()["members"][0]["role"] == "member"
    assert (await client.get(f"{path}/members?role=pending", headers=ben)).status_code == 403
    assert [one["answer"] for one in (await client.get(f"{path}/members", headers=ben)).json()["members"]] == ["", ""]
    assert (await client.delete(f"{path}/membership", headers=ben)).status_code == 204
    assert (await client.delete(f"{path}/membership", headers=ana)).status_code == 422


async def test_links_roles_bans_and_handing_over(client, ana, ben):
    path = await make(client, ana, joinPolicy="invite", visibility="private")
    assert (await client.get(path, headers=ben)).status_code == 404
    link = (await client.post(f"{path}/invitations", json={"uses": 1}, headers=ana)).json()
    assert (await client.post("/api/group-invitations/made.up", headers=ben)).status_code == 404
    accepted = await client.post(f"/api/group-invitations/{link['token']}", headers=ben)
    assert accepted.json()["role"] == "member"
    them = await person_id(client, ben)
    raised = await client.put(f"{path}/members/{them}", json={"role": "admin"}, headers=ana)
    assert raised.json()["role"] == "admin"
    offered = await client.put(f"{path}/ownership/offer", json={"userId": them}, headers=ana)
    assert offered.json()["offeredTo"] == them
    assert (await client.post(f"{path}/ownership/acceptance", headers=ben)).status_code == 200
    assert (await client.get(path, headers=ben)).json()["myRole"] == "owner"
    us = await person_id(client, ana)
    assert (await client.put(f"{path}/bans/{us}", headers=ben)).status_code == 204
    assert (await client.get(path, headers=ana)).status_code == 404
    assert (await client.delete(f"{path}/bans/{us}", headers=ben)).status_code == 204
    assert (await client.delete(path, headers=ben)).status_code == 204
    assert (await client.get(path, headers=ben)).status_code == 410


def _of_pages_and_api() -> list[str]:
    """All paths of pages and API that answer GET."""
    paths = [route.path for route in pages() if "GET" in (route.methods or ())]
    return paths + [one.path for one in operations() if one.method == "GET"]


def addresses_of(event: str, group: str) -> list[str]:
    """The paths with an event or a group, for this event and this group."""
    filled = [
        path.replace("{slug}", group if "groups" in path else event) for path in _of_pages_and_api() if "{slug}" in path
    ]
    return [*(path for path in filled if "{" not in path), f"/events/new?group={group}"]


def addresses_for_all() -> list[str]:
    """The paths without parameters."""
    # A stream never ends. For an event it needs the event's slug.
    plain = [path for path in _of_pages_and_api() if "{" not in path and path != "/live"]
    words = [f"/?q={SECRET}", f"/api/events?q={SECRET}", f"/api/groups?q={SECRET}", "/api/events?from=2020-01-01"]
    return [*plain, *words, "/live?event=absent", "/my/events?which=past", "/api/my/events?which=waiting"]


CASES = {
    "closed group": ("private", "public"),
    "closed group, by address": ("private", "unlisted"),
    "members only": ("public", "private"),
    "members only, unlisted group": ("unlisted", "private"),
}


async def hide(client, ana, group_visibility: str, event_visibility: str) -> tuple[str, str]:
    """Create a group and a members' event with the secret. Return the group's path and the event's slug."""
    path = await make(client, ana, visibility=group_visibility)
    group = path.rpartition("/")[2]
    made = await client.post("/api/events", json=EVENT | {"group": group, "visibility": event_visibility}, headers=ana)
    assert (made.status_code, made.json()["visibility"]) == (201, "private")
    return path, made.json()["slug"]


async def join_answer_and_be_removed(client, ana, browser, headers: dict[str, str], path: str, slug: str) -> None:
    link = (await client.post(f"{path}/invitations", json={"uses": 1}, headers=ana)).json()
    await browser.post(f"/api/group-invitations/{link['token']}", headers=headers)
    assert SECRET in (await browser.get(f"/events/{slug}")).text
    assert SECRET in (await browser.get(f"{path}/events", headers=headers)).text
    await browser.put(f"/api/events/{slug}/answer", json={"reply": "going"}, headers=headers)
    await client.post(f"/api/events/{slug}/cancel", json={"reason": SECRET}, headers=ana)
    them = await person_id(browser, headers)
    assert (await client.delete(f"{path}/members/{them}", headers=ana)).status_code == 204


def says_the_secret(text: str, slugs: list[str]) -> bool:
    """True if a response contains the secret, except where it repeats the request.

    The slug contains words of the title and is in the request, so a response may repeat it and link to its feeds. In
    URLs for calendar services these links are encoded once or twice.
    """
    said = unquote_plus(unquote_plus(text))
    for asked in (*slugs, f'value="{SECRET}"', f"“{SECRET}”", f"?q={SECRET}", f"Events: {SECRET}"):
        said = said.replace(asked, "")
    return SECRET in said


@pytest.mark.parametrize("was_member", [False, True], ids=["stranger", "sent away"])
async def test_group_content_is_hidden_from_non_members_at_every_url(site, client, ana, was_member):
    """People outside the groups, and people who were removed after answering, find no part of it at any URL."""
    hidden = {case: await hide(client, ana, *visibilities) for case, visibilities in CASES.items()}
    slugs = [slug for _, slug in hidden.values()]
    async with site.browser() as browser:
        await sign_up(browser, "cleo@example.org", "Cleo")
        cleo = await api_session(browser, "cleo@example.org", "Cleo")
        if was_member:
            for path, slug in hidden.values():
                await join_answer_and_be_removed(client, ana, browser, cleo, path, slug)
        asked = [("every case", address) for address in addresses_for_all()]
        for case, (path, slug) in hidden.items():
            of_case = addresses_of(slug, path.rpartition("/")[2])
            assert {f"/events/{slug}", f"{path}/events"} <= set(of_case)
            asked += [(case, address) for address in of_case]
        found = []
        for case, address in asked:
            for who in ({}, cleo):
                answer = await browser.get(address, headers=who)
                assert answer.status_code < 500, address
                assert answer.status_code != HTTPStatus.TOO_MANY_REQUESTS, f"the probe does not see {address}"
                if says_the_secret(answer.text, slugs):
                    found.append((case, address))
        assert found == []


async def test_announcing_following_and_switching_off(client, ana, ben):
    path = await make(client, ana)
    said = await client.post(f"{path}/announcements", json={"text": "Bring boards."}, headers=ana)
    assert (said.status_code, said.json()["authorName"]) == (201, "Ana")
    assert (await client.get(f"{path}/announcements", headers=ben)).status_code == 403
    followed = await client.put(f"{path}/following", json={"enabled": True}, headers=ben)
    assert followed.json() == {"followers": 1, "isFollowing": True}
    assert (await client.delete(f"{path}/following", headers=ben)).status_code == 204
    await client.put(f"{path}/membership", json={}, headers=ben)
    first = (await client.get(f"{path}/announcements?limit=1", headers=ben)).json()
    assert ([one["text"] for one in first["announcements"]], first["cursor"]) == (["Bring boards."], None)
    assert (
        await client.put(f"{path}/membership/notifications", json={"enabled": False}, headers=ben)
    ).status_code == 200
    assert (await client.delete(f"{path}/announcements/{said.json()['id']}", headers=ana)).status_code == 204
    assert (await client.delete(f"{path}/announcements/{said.json()['id']}", headers=ana)).status_code == 404


async def test_a_hidden_group_invites_nobody_by_mail(site, client, ana):
    """The e-mails would not be sent, so the invitations are not used up."""
    path = await make(client, ana)
    slug = path.rpartition("/")[2]
    mails = {"emails": ["cleo@example.org"]}
    async with site.db.transaction() as tx:
        mo, row = await person(tx, "Mo"), await tx.fetch_one("select id, owner_id from groups")
        assert row is not None
        subject = Subject(ModeratedKind.GROUP, row["id"])
        await moderation.decide(tx, mo.user_id, subject, SubjectVisibility.HIDDEN, "Looks like an advertisement.")
    refused = await client.post(f"{path}/mail-invitations", json=mails, headers=ana)
    assert (refused.status_code, refused.json()["title"]) == (422, "GroupHidden")
    async with signed_in(site, row["owner_id"]) as browser:
        page = await browser.post(f"/groups/{slug}/invitations/mail", data={"emails": "cleo@example.org"})
        assert (page.status_code, "This group is hidden right now" in page.text) == (422, True)
    async with site.db.transaction() as tx:
        await moderation.decide(tx, mo.user_id, subject, SubjectVisibility.SHOWN, "")
    sent = (await client.post(f"{path}/mail-invitations", json=mails, headers=ana)).json()
    assert (sent["fresh"], sent["isSent"]) == (mails["emails"], True)


async def test_mail_invitations_are_previewed_listed_revoked_and_declined(client, ana, ben):
    path = await make(client, ana, joinPolicy="invite")
    wanted = {"emails": ["cleo@example.org", "dan@", "Frida Holm"], "isPreview": True}
    seen = (await client.post(f"{path}/mail-invitations", json=wanted, headers=ana)).json()
    assert (seen["fresh"], seen["wrong"], seen["isSent"]) == (["cleo@example.org"], ["dan@"], False)
    assert seen["unread"] == ["Frida Holm"]
    assert (
        await client.post(f"{path}/mail-invitations", json=wanted | {"isPreview": False}, headers=ana)
    ).status_code == 400
    sent = await client.post(f"{path}/mail-invitations", json={"emails": ["cleo@example.org"]}, headers=ana)
    assert (sent.status_code, sent.json()["isSent"]) == (200, True)
    link = (await client.post(f"{path}/invitations", json={"uses": 3, "days": 2}, headers=ana)).json()
    listed = (await client.get(f"{path}/invitations", headers=ana)).json()["invitations"]
    assert [(one["email"], one["token"] is None) for one in listed] == [(None, False), ("cleo@example.org", True)]
    door = f"/api/group-invitations/{link['token']}"
    opened = (await client.get(door)).json()
    assert (opened["groupName"], opened["invitedByName"], opened["isByMail"]) == ("Chess club", "Ana", False)
    assert (await client.delete(door)).status_code == 404, "a link has no recipient who could decline"
    assert (await client.delete(f"{path}/invitations/{link['id']}", headers=ana)).status_code == 204
    assert (await client.post(door, headers=ben)).status_code == 404


async def test_ownership_and_the_log(client, ana, ben):
    path = await make(client, ana)
    await client.put(f"{path}/membership", json={}, headers=ben)
    them = await person_id(client, ben)
    wrong = await client.put(
        f"{path}/ownership/arrangement", json={"backupAdminId": them, "absenceDays": 1, "waitDays": 14}, headers=ana
    )
    assert (wrong.status_code, "absenceDays" in wrong.text) == (400, True)
    arranged = {"backupAdminId": them, "absenceDays": 60, "waitDays": 7}
    assert (await client.put(f"{path}/ownership/arrangement", json=arranged, headers=ana)).json()[
        "arrangement"
    ] == arranged
    assert (await client.get(f"{path}/ownership", headers=ben)).json()["arrangement"] is None
    await client.put(f"{path}/ownership/offer", json={"userId": them}, headers=ana)
    assert (await client.delete(f"{path}/ownership/offer", headers=ben)).json()["offeredTo"] is None
    moved = (await client.put(f"{path}/address", json={"address": "chess"}, headers=ana)).json()["slug"]
    assert (moved, (await client.get(path)).json()["slug"]) == ("chess", "chess")
    newest = (await client.get("/api/groups/chess/log?limit=2", headers=ana)).json()
    assert [one["act"] for one in newest["lines"]] == ["address_changed", "offer_ended"]
    older = (await client.get(f"/api/groups/chess/log?limit=9&cursor={newest['cursor']}", headers=ana)).json()
    assert [one["act"] for one in older["lines"]] == ["ownership_offered", "succession_arranged", "joined", "created"]
