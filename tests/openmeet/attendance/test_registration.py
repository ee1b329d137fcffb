"""The registration settings that hosts submit: which values of before stay, and who chooses the ids of questions."""

import pytest

from groundwork.clock import HandClock
from groundwork.database.transaction import Database
from groundwork.errors import InvalidForm
from openmeet.domain.attendance.model import MAX_PARTY
from openmeet.domain.attendance.reasons import AttendanceReason
from openmeet.domain.attendance.registration import (
    MAX_HOURS_BEFORE,
    RegistrationQuestion,
    RegistrationSettings,
    RegistrationSubmission,
    SubmittedQuestion,
    check_settings,
)
from openmeet.domain.events.model import Event
from openmeet.domain.events.values import MAX_CAPACITY
from openmeet.web.attendance.registration_api import RegistrationSettingsBody
from tests.databases import MakeDatabase
from tests.openmeet.site_under_test import api_session, event_by, person, sign_up, site_on


@pytest.fixture
async def db(make_sqlite: MakeDatabase, clock: HandClock) -> Database:
    return await make_sqlite("openmeet", clock=clock)


@pytest.fixture
async def event(db: Database) -> Event:
    """An event without a group."""
    async with db.transaction() as tx:
        return await event_by(tx, await person(tx, "Ana"))


async def test_an_event_that_left_its_group_may_stay_for_members_only(event: Event) -> None:
    typed = RegistrationSubmission(is_members_only="yes")
    assert check_settings(typed, event, RegistrationSettings(is_members_only=True)).is_members_only
    with pytest.raises(InvalidForm) as refused:
        check_settings(typed, event)
    assert refused.value.problems == {"is_members_only": AttendanceReason.NO_GROUP()}


async def test_only_stored_questions_keep_their_ids(event: Event) -> None:
    before = RegistrationSettings(questions=(RegistrationQuestion("q1", "Diet?"),))
    ids = ["q1", "q1", "party", "mode", "q2", ""]
    typed = RegistrationSubmission(questions=[SubmittedQuestion(one, f"Question {n}") for n, one in enumerate(ids)])
    first, *others = [one.id for one in check_settings(typed, event, before).questions]
    assert first == "q1"
    assert len({first, *others}) == len(ids)
    assert not {*others} & {*ids}


async def test_the_id_of_a_question_is_no_name_of_another_field(db: Database, clock: HandClock) -> None:
    """Neither in the API nor in the form."""
    async with site_on(db, clock).browser() as host:
        ana = await api_session(host, "ana@example.org", "Ana")
        made = await host.post(
            "/api/events",
            json={"title": "Walk", "startsLocal": "2026-07-04T18:00", "timeZone": "UTC"},
            headers=ana,
        )
        path = made.headers["location"]
        body = {"questions": [{"question": "Diet?", "questionId": "party"}]}
        (asked,) = (await host.put(f"{path}/joining", json=body, headers=ana)).json()["questions"]
        assert asked["questionId"] != "party"
        kept = await host.put(f"{path}/joining", json={"questions": [asked]}, headers=ana)
        assert kept.json()["questions"] == [asked]
        await sign_up(host, "ana@example.org", "Ana")
        form = {"max_party": "1", "list_audience": "everyone", "question_1": "Diet?", "id_1": "mode"}
        saved = await host.post(f"{path.removeprefix('/api')}/joining", data=form)
        assert saved.status_code == 303, saved.text
        (asked,) = (await host.get(f"{path}/joining")).json()["questions"]
        assert asked["questionId"] != "mode"


def test_the_schema_says_which_numbers_are_allowed() -> None:
    text = RegistrationSettingsBody.__doc__ or ""
    for largest in (MAX_CAPACITY, MAX_HOURS_BEFORE, MAX_PARTY):
        assert f" to {largest}" in text
