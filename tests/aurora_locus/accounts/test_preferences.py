"""Preferences that an app stores privately for its user."""

from typing import Any

import httpx
import pytest

from tests.aurora_locus.deployment import SERVER, Deployment, Person

GET, PUT = "app.bsky.actor.getPreferences", "app.bsky.actor.putPreferences"
DEFS = "app.bsky.actor.defs"
ADULT = {"$type": f"{DEFS}#adultContentPref", "enabled": True}
LABELS = {"$type": f"{DEFS}#contentLabelPref", "label": "nudity", "visibility": "warn"}
AGE = {"$type": f"{DEFS}#personalDetailsPref", "birthDate": "1990-01-01T00:00:00.000Z"}
DECLARED = {"$type": f"{DEFS}#declaredAgePref", "isOverAge18": True}
GROWN_UP = {**DECLARED, "isOverAge13": True, "isOverAge16": True}
UNKNOWN = {"$type": "app.bsky.actor.defs#comingPref", "anything": [1, {"deep": "é"}]}


def named(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, "" if answer.status_code == 200 else answer.json()["error"]


async def put(person: Person, *values: Any) -> httpx.Response:
    return await person.post(PUT, {"preferences": list(values)})


async def get(person: Person) -> Any:
    return (await person.get(GET)).json()["preferences"]


async def app_of(deployment: Deployment, person: Person) -> Person:
    password = (await person.post(f"{SERVER}.createAppPassword", {"name": "phone"})).json()["password"]
    return deployment.person(await deployment.sign_in(person.did, password))


async def test_new_preferences_replace_the_old_ones(deployment: Deployment) -> None:
    """New preferences replace the old ones, in order and with unknown ones unchanged; those of others stay."""
    ana, ben = await deployment.sign_up("ana"), await deployment.sign_up("ben")
    assert await get(ana) == []
    assert named(await put(ben, ADULT)) == (200, "")
    assert named(await put(ana, LABELS, ADULT)) == (200, "")
    assert await get(ana) == [LABELS, ADULT]
    assert named(await put(ana, UNKNOWN, LABELS, LABELS)) == (200, "")
    assert await get(ana) == [UNKNOWN, LABELS, LABELS]
    assert named(await put(ana)) == (200, "")
    assert await get(ana) == []
    assert await get(ben) == [ADULT]


@pytest.mark.parametrize("name", ["chat.bsky.actor.pref", "app.bskyx.pref", "", None])
async def test_other_namespaces_are_refused_and_nothing_changes(deployment: Deployment, name: str | None) -> None:
    ana = await deployment.sign_up("ana")
    await put(ana, ADULT)
    stranger = {"value": 1} if name is None else {"$type": name}
    assert named(await put(ana, LABELS, stranger)) == (400, "InvalidRequest")
    assert await get(ana) == [ADULT]


async def test_app_passwords_cannot_access_the_date_of_birth(deployment: Deployment) -> None:
    """App passwords neither see nor set the date of birth, and keep it when they replace the other preferences. They see
    the age groups that follow from it.
    """
    ana = await deployment.sign_up("ana")
    await put(ana, AGE, ADULT)
    app = await app_of(deployment, ana)
    assert await get(app) == [ADULT, GROWN_UP]
    assert named(await put(app, AGE)) == (400, "InvalidRequest")
    assert named(await put(app, LABELS)) == (200, "")
    assert await get(app) == [LABELS, GROWN_UP]
    assert await get(ana) == [AGE, LABELS, GROWN_UP]


@pytest.mark.parametrize(
    ("born", "groups"),
    [
        ("2026-03-01T00:00:00.000Z", []),
        ("2013-03-02T00:00:00.000Z", []),
        ("2013-03-01T23:59:59.000Z", [13]),
        ("2010-02-28T00:00:00.000Z", [13, 16]),
        ("2008-03-02T00:00:00.000Z", [13, 16]),
        ("2008-03-01T00:00:00.000Z", [13, 16, 18]),
    ],
)
async def test_age_groups_follow_from_the_date_of_birth(deployment: Deployment, born: str, groups: list[int]) -> None:
    """As in the reference PDS, the age counts from the birthday on, in whole years. Today is 2026-03-01."""
    ana = await deployment.sign_up("ana")
    await put(ana, {**AGE, "birthDate": born})
    declared = (await get(ana))[-1]
    assert declared == {
        "$type": f"{DEFS}#declaredAgePref",
        **{f"isOverAge{age}": age in groups for age in (13, 16, 18)},
    }


async def test_computed_preferences_are_not_accepted(deployment: Deployment) -> None:
    ana = await deployment.sign_up("ana")
    assert named(await put(ana, DECLARED, ADULT)) == (200, "")
    assert await get(ana) == [ADULT]


async def test_256_kib_and_no_more(deployment: Deployment) -> None:
    ana = await deployment.sign_up("ana")
    bare = len('{"$type":"app.bsky.x.y","text":""}')
    fits = {"$type": "app.bsky.x.y", "text": "x" * (256 * 1024 - bare)}
    assert named(await put(ana, fits)) == (200, "")
    assert named(await put(ana, {**fits, "text": fits["text"] + "x"})) == (413, "PayloadTooLarge")
    assert await get(ana) == [fits]


async def test_strangers_see_none(deployment: Deployment) -> None:
    assert named(await deployment.stranger.get(GET)) == (401, "AuthMissing")


async def test_deactivated_account_may_store_preferences(deployment: Deployment) -> None:
    ana = await deployment.sign_up("ana")
    await ana.post(f"{SERVER}.deactivateAccount", {})
    assert named(await put(ana, ADULT)) == (200, "")
