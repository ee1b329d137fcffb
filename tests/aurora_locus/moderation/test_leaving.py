"""An account that was taken down takes its things and leaves; it can do nothing else."""

import httpx

from tests.aurora_locus.moderation.deciding import account, decide, take_down, write_note
from tests.aurora_locus.town import IDENTITY, SERVER, Person, Town


def named(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, "" if answer.status_code == 200 else answer.json()["error"]


async def sign_in(town: Town, person: Person, password: str = "password of ana") -> httpx.Response:
    wish = {"identifier": person.did, "password": password, "allowTakendown": True}
    return await town.stranger.post(f"{SERVER}.createSession", wish)


async def test_who_was_taken_down_may_leave(town: Town) -> None:
    """With its repository, its preferences and a token for its next server."""
    ana = await town.sign_up("ana")
    await write_note(ana)
    await take_down(town, ana)
    answer = await sign_in(town, ana)
    assert (answer.json()["active"], answer.json()["status"]) == (False, "takendown")
    leaving = town.person(answer)
    export = await town.http.get("/xrpc/com.atproto.sync.getRepo", params={"did": ana.did}, headers=leaving.headers)
    assert export.status_code == 200
    audience = {"aud": "did:web:next.example.org"}
    for allowed in (
        await leaving.get(f"{SERVER}.getSession"),
        await leaving.get("app.bsky.actor.getPreferences"),
        await leaving.get(f"{SERVER}.checkAccountStatus"),
        await leaving.get(f"{SERVER}.getServiceAuth", lxm=f"{SERVER}.createAccount", **audience),
    ):
        assert named(allowed) == (200, "")
    other = await leaving.get(f"{SERVER}.getServiceAuth", lxm="app.bsky.feed.getTimeline", **audience)
    assert named(other) == (403, "Forbidden")


async def test_it_can_do_nothing_else(town: Town) -> None:
    ana = await town.sign_up("ana")
    await take_down(town, ana)
    leaving = town.person(await sign_in(town, ana))
    record = {"repo": ana.did, "collection": "org.example.note", "record": {"text": "hello"}}
    for refused in (
        await leaving.post("com.atproto.repo.createRecord", record),
        await leaving.post(f"{SERVER}.activateAccount"),
        await leaving.post(f"{SERVER}.deactivateAccount", {}),
        await leaving.post(f"{SERVER}.createAppPassword", {"name": "phone"}),
        await leaving.post(f"{SERVER}.updateEmail", {"email": "new@example.org"}),
        await leaving.post(f"{IDENTITY}.updateHandle", {"handle": "anabel.test"}),
        await leaving.post("app.bsky.actor.putPreferences", {"preferences": []}),
        await leaving.bearing(leaving.refresh_token).post(f"{SERVER}.refreshSession"),
    ):
        assert named(refused) == (401, "AccountTakedown")


async def test_app_passwords_do_not_let_in(town: Town) -> None:
    ana = await town.sign_up("ana")
    password = (await ana.post(f"{SERVER}.createAppPassword", {"name": "phone"})).json()["password"]
    await take_down(town, ana)
    assert named(await sign_in(town, ana, password)) == (401, "AccountTakedown")


async def test_asking_for_it_is_nothing_special_otherwise(town: Town) -> None:
    ana = await town.sign_up("ana")
    session = town.person(await sign_in(town, ana))
    assert await write_note(session)
    await take_down(town, ana)
    await decide(town, account(ana), takedown=False)
    back = town.person(await sign_in(town, ana))
    assert await write_note(back)
