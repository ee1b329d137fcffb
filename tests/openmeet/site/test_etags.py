"""Conditional requests: nobody overwrites a version that they have not read, and nobody downloads a version again that
they already have.
"""

from http import HTTPStatus

import pytest

from openmeet.routes import operations
from tests.openmeet.site_under_test import api_session, site_on

EVENT = {"title": "Board games", "startsLocal": "2026-07-04T18:00", "timeZone": "Europe/Berlin"}

# Things that are not edited: they are only created and ended.
WITHOUT_CONDITION = {
    "closeSession",
    "unsubscribeFromCalendar",
    "closeMyFeed",
    "closeGroupFeed",
    "declineInvitation",
    "declineArrival",
    "deleteMe",
    # The condition is in the body: a revision, which offline clients store with the text.
    "editChatMessage",
    "removeChatMessage",
    # A new sanction states the complete result, so it does not depend on the previous state.
    "putChatSanction",
    "liftChatSanctions",
}


@pytest.fixture
async def client(make_sqlite, clock):
    async with site_on(await make_sqlite("openmeet"), clock).browser() as browser:
        yield browser


@pytest.fixture
async def ana(client):
    return await api_session(client, "ana@example.org", "Ana")


async def test_unchanged_content_is_not_sent_again(client, ana):
    path = (await client.post("/api/events", json=EVENT, headers=ana)).headers["location"]
    read = await client.get(path)
    again = await client.get(path, headers={"if-none-match": f'"x", W/{read.headers["etag"]}'})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == read.headers["etag"]
    await client.put(f"{path}/answer", json={"reply": "going"}, headers=ana)
    counted = await client.get(path, headers={"if-none-match": read.headers["etag"]})
    assert (counted.status_code, counted.json()["counts"]["going"]) == (200, 1), (
        "the revision is the same, the response differs"
    )


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/api/me", {"displayName": "Ana B"}),
        ("/api/notification-preferences", None),
        ("/api/events/{slug}", EVENT | {"title": "Chess"}),
        ("/api/events/{slug}/answer", {"reply": "declined"}),
        ("/api/groups/{group}", {"name": "Players", "timeZone": "Europe/Berlin"}),
    ],
)
async def test_an_edit_of_an_outdated_version_is_refused(client, ana, path, body):
    """The ETag of a GET response allows one edit and no second one."""
    slug = (await client.post("/api/events", json=EVENT, headers=ana)).json()["slug"]
    group = (await client.post("/api/groups", json={"name": "A", "timeZone": "Europe/Berlin"}, headers=ana)).json()
    await client.put(f"/api/events/{slug}/answer", json={"reply": "going"}, headers=ana)
    path = path.format(slug=slug, group=group["slug"])
    read = await client.get(path, headers=ana)
    body = body or {**read.json(), "digestHour": 7}
    condition = {"if-match": read.headers["etag"]}
    first = await client.put(path, json=body, headers=ana | condition)
    assert first.status_code == HTTPStatus.OK, first.text
    second = await client.put(path, json=body, headers=ana | condition)
    assert (second.status_code, second.headers["content-type"]) == (412, "application/problem+json")
    assert (await client.put(path, json=body, headers=ana | {"if-match": "*"})).status_code == HTTPStatus.OK


async def test_a_first_response_matches_nothing(client, ana):
    path = (await client.post("/api/events", json=EVENT, headers=ana)).headers["location"]
    answer = await client.put(f"{path}/answer", json={"reply": "going"}, headers=ana | {"if-match": '"1"'})
    assert answer.status_code == HTTPStatus.PRECONDITION_FAILED


async def test_without_a_condition_the_newest_version_is_edited(client, ana):
    path = (await client.post("/api/events", json=EVENT, headers=ana)).headers["location"]
    for title in ("Chess", "Go"):
        assert (await client.put(path, json=EVENT | {"title": title}, headers=ana)).json()["title"] == title


def test_no_operation_requires_a_condition():
    """Decision 0054: clients could not know which operations demanded a condition."""
    for one in operations():
        assert HTTPStatus.PRECONDITION_REQUIRED not in one.failures
        assert not any(each.name == "If-Match" and each.is_required for each in one.parameters), one.name


def test_everything_readable_and_editable_accepts_a_condition():
    """Every PUT, PATCH or DELETE of a URL that has GET documents IF_MATCH and 412 (``web.api.etags``)."""
    readable = {one.path for one in operations() if one.method == "GET"}
    edits = [one for one in operations() if one.path in readable and one.method in {"PUT", "PATCH", "DELETE"}]
    assert len(edits) > 5
    for one in edits:
        if one.name not in WITHOUT_CONDITION:
            assert "If-Match" in {each.name for each in one.parameters}, f"{one.name}: add IF_MATCH of web/api/etags.py"
            assert 412 in one.failures, f"{one.name}: add 412 to its failures"
