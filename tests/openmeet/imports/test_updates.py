"""Import of a changed file: differences are shown, and applied if the host confirms them. Otherwise local edits stay."""

import pytest

from groundwork.clock import HandClock
from tests.databases import MakeDatabase
from tests.openmeet.site_under_test import Site, api_session, sign_up, site_on

FILE = """BEGIN:VCALENDAR
VERSION:2.0
BEGIN:VEVENT
UID:tea
DTSTART;TZID=Europe/Berlin:20260701T150000
DTEND;TZID=Europe/Berlin:20260701T170000
SUMMARY:Tea
LOCATION:Garden
DESCRIPTION:Bring a cup
END:VEVENT
BEGIN:VEVENT
UID:choir
DTSTART;TZID=Europe/Berlin:20260303T180000
DURATION:PT2H
RRULE:FREQ=WEEKLY;COUNT=6
SUMMARY:Choir
END:VEVENT
BEGIN:VEVENT
UID:same
DTSTART;TZID=Europe/Berlin:20260801T150000
SUMMARY:Same
END:VEVENT
END:VCALENDAR
"""
CHANGED = (
    FILE.replace(
        "T150000\nDTEND;TZID=Europe/Berlin:20260701T170000", "T160000\nDTEND;TZID=Europe/Berlin:20260701T180000"
    )
    .replace("SUMMARY:Tea", "SUMMARY:Tea and cake")
    .replace("DESCRIPTION:Bring a cup\n", "")
    .replace("20260303T180000", "20260303T193000")
    .replace("COUNT=6", "COUNT=8")
)
CALENDAR = {"content-type": "text/calendar"}


@pytest.fixture
async def site(make_database: MakeDatabase, clock: HandClock) -> Site:
    return site_on(await make_database("openmeet"), clock)


@pytest.fixture
async def client(site: Site):
    async with site.browser() as browser:
        yield browser


@pytest.fixture
async def ana(client) -> dict[str, str]:
    return await api_session(client, "ana@example.org", "Ana")


async def look(client, ana, file: str) -> dict:
    sent = await client.post("/api/imports", content=file.encode(), headers=ana | CALENDAR)
    assert sent.status_code == 201, sent.text
    return sent.json()


async def bring(client, ana, file: str, **wanted: object) -> dict:
    answer = await client.post(
        f"/api/imports/{(await look(client, ana, file))['id']}/confirm", json=wanted, headers=ana
    )
    assert answer.status_code == 200, answer.text
    return answer.json()["outcome"]


async def shown(client, ana, path: str) -> dict:
    return (await client.get(f"/api{path}", headers=ana)).json()


async def test_differences_are_shown_and_applied_if_named(client, ana) -> None:
    made = (await bring(client, ana, FILE))["made"]
    tea, choir, _ = made
    assert all(not one["differences"] for one in (await look(client, ana, FILE))["events"]), (
        "the same file has no differences"
    )
    found = {one["uid"]: one for one in (await look(client, ana, CHANGED))["events"]}
    assert {one["field"]: (one["before"], one["after"]) for one in found["tea"]["differences"]} == {
        "title": ("Tea", "Tea and cake"),
        "starts": ("2026-07-01T15:00", "2026-07-01T16:00"),
        "ends": ("2026-07-01T17:00", "2026-07-01T18:00"),
    }
    assert {one["field"] for one in found["choir"]["differences"]} == {"starts", "ends", "rule"}
    assert (found["tea"]["path"], found["same"]["differences"]) == (tea, [])
    before = await shown(client, ana, tea)
    kept = await bring(client, ana, CHANGED)
    assert (kept["updated"], kept["made"], kept["known"]) == ([], [], 3)
    assert (await shown(client, ana, tea))["revision"] == before["revision"]
    taken = await bring(client, ana, CHANGED, updates=["tea", "choir", "same", "nobody"])
    assert (sorted(taken["updated"]), taken["leftOut"]) == (
        sorted([tea, choir]),
        [],
    )
    after = await shown(client, ana, tea)
    assert (after["title"], after["startsLocal"][:16], after["description"]) == (
        "Tea and cake",
        "2026-07-01T16:00",
        "Bring a cup",
    )
    series = await shown(client, ana, choir)
    assert (series["startsLocal"], series["rule"], series["visibility"]) == (
        "2026-03-03T19:30:00",
        "FREQ=WEEKLY;COUNT=8",
        "private",
    )
    assert not any(one["differences"] for one in (await look(client, ana, CHANGED))["events"])


async def test_only_changes_in_the_file_count_and_conflicts_are_shown(client, ana) -> None:
    tea = (await bring(client, ana, FILE))["made"][0]
    body = {
        "title": "Tea for two",
        "description": "Bring two cups",
        "startsLocal": "2026-07-01T15:00",
        "endsLocal": "2026-07-01T17:00",
        "timeZone": "Europe/Berlin",
        "venue": {"name": "Garden"},
    }
    published = await client.post(f"/api{tea}/publish", json={}, headers=ana)
    assert published.status_code == 200, published.text
    edited = await client.put(f"/api{tea}", json=body, headers=ana)
    assert edited.status_code == 200, edited.text
    # With the same file, edits made on this site are not differences.
    (same, *_) = (await look(client, ana, FILE))["events"]
    assert same["differences"] == []
    # The file has a new title and place. Its text is unchanged, but the host has edited the text on this site.
    file = FILE.replace("SUMMARY:Tea", "SUMMARY:Tea and cake").replace("LOCATION:Garden", "LOCATION:Library")
    (changed, *_) = (await look(client, ana, file))["events"]
    assert {one["field"]: (one["before"], one["after"], one["isEditedHere"]) for one in changed["differences"]} == {
        "title": ("Tea for two", "Tea and cake", True),
        "venueName": ("Garden", "Library", False),
    }
    assert (await bring(client, ana, file, updates=["tea"]))["updated"] == [tea]
    after = await shown(client, ana, tea)
    assert (after["title"], after["venue"]["name"], after["description"]) == (
        "Tea and cake",
        "Library",
        "Bring two cups",
    )
    # Accepted values are the new base.
    body |= {"title": "Tea again", "venue": {"name": "Library"}}
    assert (await client.put(f"/api{tea}", json=body, headers=ana)).status_code == 200
    (again, *_) = (await look(client, ana, file))["events"]
    assert again["differences"] == []


async def test_the_rule_that_a_host_changed_here_stays_until_the_schedule_changes_in_the_file(client, ana) -> None:
    choir = (await bring(client, ana, FILE))["made"][1]
    wanted = {"scope": "all", "recurrence": "FREQ=WEEKLY;COUNT=10"}
    assert (await client.post(f"/api{choir}/edit", json=wanted, headers=ana)).status_code == 200
    file = FILE.replace("SUMMARY:Choir", "SUMMARY:Choir and band")
    found = {one["uid"]: one for one in (await look(client, ana, file))["events"]}
    assert [one["field"] for one in found["choir"]["differences"]] == ["title"]
    assert (await bring(client, ana, file, updates=["choir"]))["updated"] == [choir]
    series = await shown(client, ana, choir)
    assert (series["title"], series["rule"]) == ("Choir and band", "FREQ=WEEKLY;COUNT=10")
    found = {one["uid"]: one for one in (await look(client, ana, file.replace("COUNT=6", "COUNT=8")))["events"]}
    assert {one["field"]: one["isEditedHere"] for one in found["choir"]["differences"]} == {"rule": True}


async def test_older_imports_are_compared_with_the_current_event(site: Site, client, ana) -> None:
    await bring(client, ana, FILE)
    async with site.db.transaction() as tx:
        await tx.execute("update imported_events set last_import = ''")
    found = {one["uid"]: one for one in (await look(client, ana, CHANGED))["events"]}
    assert {one["field"] for one in found["tea"]["differences"]} == {"title", "starts", "ends"}


async def test_an_update_keeps_other_fields_and_notifies_guests(client, ana) -> None:
    tea = (await bring(client, ana, FILE, events=["tea"]))["made"][0]
    slug = tea.rpartition("/")[2]
    published = await client.post(f"/api/events/{slug}/publish", json={}, headers=ana)
    assert published.status_code == 200, published.text
    wanted = {"title": "Tea", "startsLocal": "2026-07-01T15:00", "endsLocal": "2026-07-01T17:00"}
    wanted |= {"timeZone": "Europe/Berlin", "venue": {"name": "Garden"}, "capacity": 12, "doorNote": "Ring twice"}
    assert (await client.put(f"/api/events/{slug}", json=wanted, headers=ana)).status_code == 200
    ben = await api_session(client, "ben@example.org", "Ben")
    await client.put(f"/api/events/{slug}/answer", json={"reply": "going"}, headers=ben)
    told = len((await client.get("/api/notifications", headers=ben)).json()["items"])
    assert (await bring(client, ana, CHANGED, events=[], updates=["tea"]))["updated"] == [tea]
    after = await shown(client, ana, tea)
    assert (after["title"], after["capacity"], after["doorNote"], after["visibility"]) == (
        "Tea and cake",
        12,
        "Ring twice",
        "public",
    )
    assert len((await client.get("/api/notifications", headers=ben)).json()["items"]) == told + 1
    off = CHANGED.replace("SUMMARY:Tea and cake", "SUMMARY:Tea and cake\nSTATUS:CANCELLED\nCOMMENT:Rain")
    assert [one["field"] for one in (await look(client, ana, off))["events"][0]["differences"]] == ["status"]
    await bring(client, ana, off, events=[], updates=["tea"])
    assert (await shown(client, ana, tea))["status"] == "cancelled"


async def test_single_dates_are_updated_by_their_owner_only(client, ana) -> None:
    choir = (await bring(client, ana, FILE, events=["choir"]))["made"][0]
    override = """BEGIN:VEVENT
UID:choir
RECURRENCE-ID;TZID=Europe/Berlin:20260310T180000
DTSTART;TZID=Europe/Berlin:20260310T200000
DURATION:PT1H
SUMMARY:Choir with guests
END:VEVENT
BEGIN:VEVENT
UID:choir
RECURRENCE-ID;TZID=Europe/Berlin:20260317T180000
DTSTART;TZID=Europe/Berlin:20260317T180000
SUMMARY:Choir
STATUS:CANCELLED
END:VEVENT
END:VCALENDAR"""
    more = FILE.replace("END:VCALENDAR", override)
    (found,) = [one for one in (await look(client, ana, more))["events"] if one["uid"] == "choir"]
    assert [(one["field"], one["after"]) for one in found["differences"]] == [("dates", "2")]
    ben = await api_session(client, "ben@example.org", "Ben")
    assert (await bring(client, ben, more, events=[], updates=["choir"]))["updated"] == []
    assert (await bring(client, ana, more, events=[], updates=["choir"]))["updated"] == [choir]
    dates = (await client.get(f"/api{choir}/dates?from=2026-03-01T00:00", headers=ana)).json()["dates"]
    by_name = {one["originalDate"]: (one["title"], one["startsLocal"], one["status"]) for one in dates}
    assert by_name["2026-03-10T18:00:00"] == ("Choir with guests", "2026-03-10T20:00:00", "scheduled")
    assert by_name["2026-03-17T18:00:00"][2] == "cancelled"
    assert not [one for one in (await look(client, ana, more))["events"] if one["differences"]]


async def test_the_page_shows_differences_and_applies_selected_ones(site: Site, client) -> None:
    await sign_up(client, "ana@example.org", "Ana")

    async def sent(file: str) -> str:
        answer = await client.post("/import", files={"file": ("c.ics", file.encode(), "text/calendar")})
        assert answer.status_code == 303, answer.text
        return answer.headers["location"]

    first = await sent(FILE)
    await client.post(first, data={"event-0": "on", "event-1": "on", "event-2": "on"})
    again = await sent(CHANGED)
    page = (await client.get(again)).text
    assert "2 changed since you imported them" in page
    assert "<del>Tea</del> <ins>Tea and cake</ins>" in page
    assert page.count("Change it here, too") == 2
    assert ' name="update-0" value="yes">' in page, "not selected by default"
    assert "<del>Every Tuesday at 18:00, 6 times</del> <ins>Every Tuesday at 19:30, 8 times</ins>" in page
    assert "FREQ=" not in page
    assert 'name="event-' not in page, "a known event has no checkbox"
    await client.post(again, data={"update-0": "yes"})
    done = (await client.get(again)).text
    assert "1 changed" in done
    assert "Updated from the file" in done
    assert "Tea and cake" in done


async def test_a_scheduled_draft_stays_scheduled(client, ana) -> None:
    """The file has another title. The draft gets it and is still published at the chosen time."""
    tea = (await bring(client, ana, FILE, events=["tea"]))["made"][0]
    at = "2026-06-01T10:00:00Z"
    scheduled = await client.post(f"/api{tea}/publish", json={"publishAt": at}, headers=ana)
    assert scheduled.status_code == 200, scheduled.text
    assert scheduled.json()["publishesAt"]
    assert (await bring(client, ana, CHANGED, events=[], updates=["tea"]))["updated"] == [tea]
    after = await shown(client, ana, tea)
    assert (after["title"], after["publishesAt"]) == ("Tea and cake", scheduled.json()["publishesAt"])


async def test_several_dates_change_with_one_update(client, ana) -> None:
    """Two dates get a title and two are cancelled for different reasons. A date that the rule does not have is ignored."""
    choir = (await bring(client, ana, FILE, events=["choir"]))["made"][0]
    days = {"10": "SUMMARY:Guests", "17": "STATUS:CANCELLED\nCOMMENT:Rain", "24": "SUMMARY:Concert"}
    days |= {"31": "STATUS:CANCELLED\nCOMMENT:Snow", "11": "SUMMARY:Never"}
    changes = "".join(
        f"BEGIN:VEVENT\nUID:choir\nRECURRENCE-ID;TZID=Europe/Berlin:202603{day}T180000\n"
        f"DTSTART;TZID=Europe/Berlin:202603{day}T180000\nDURATION:PT2H\n"
        f"{text if 'SUMMARY' in text else f'SUMMARY:Choir{chr(10)}{text}'}\nEND:VEVENT\n"
        for day, text in days.items()
    )
    file = FILE.replace("END:VCALENDAR", f"{changes}END:VCALENDAR")
    assert (await bring(client, ana, file, events=[], updates=["choir"]))["updated"] == [choir]
    dates = (await client.get(f"/api{choir}/dates", headers=ana)).json()["dates"]
    assert [(one["originalDate"][8:10], one["title"], one["status"], one["statusReason"]) for one in dates[:5]] == [
        ("03", "Choir", "scheduled", ""),
        ("10", "Guests", "scheduled", ""),
        ("17", "Choir", "cancelled", "Rain"),
        ("24", "Concert", "scheduled", ""),
        ("31", "Choir", "cancelled", "Snow"),
    ]


@pytest.mark.parametrize("way", ["series", "event"])
async def test_dates_that_a_host_deleted_or_added_here_survive_a_new_schedule(client, ana, way: str) -> None:
    """One date was deleted here and one added. The file has another time and one more exclusion."""
    choir = (await bring(client, ana, FILE, events=["choir"]))["made"][0]
    if way == "series":
        gone = {"dates": ["2026-03-10T18:00:00"]}
        assert (await client.post(f"/api{choir}/remove-dates", json=gone, headers=ana)).status_code == 200
    else:
        dates = (await client.get(f"/api{choir}/dates?from=2026-03-01T00:00", headers=ana)).json()["dates"]
        assert (await client.delete(f"/api/events/{dates[1]['slug']}", headers=ana)).status_code == 204
    extra = {"startsLocal": "2026-03-12T18:00"}
    assert (await client.post(f"/api{choir}/dates", json=extra, headers=ana)).status_code in {200, 201}
    file = CHANGED.replace("COUNT=8", "COUNT=8\nEXDATE;TZID=Europe/Berlin:20260324T193000")
    found = {one["uid"]: one for one in (await look(client, ana, file))["events"]}
    assert {one["field"] for one in found["choir"]["differences"]} == {"starts", "ends", "rule", "leftOut"}
    assert (await bring(client, ana, file, events=[], updates=["choir"]))["updated"] == [choir]
    dates = (await client.get(f"/api{choir}/dates?from=2026-03-01T00:00", headers=ana)).json()["dates"]
    assert [one["startsLocal"][5:16] for one in dates] == [
        "03-03T19:30",
        "03-12T18:00",
        "03-17T19:30",
        "03-31T19:30",
        "04-07T19:30",
        "04-14T19:30",
        "04-21T19:30",
    ]
    assert not any(one["differences"] for one in (await look(client, ana, file))["events"])


async def test_an_extra_date_of_the_file_that_a_host_deleted_here_stays_deleted_at_a_new_time(client, ana) -> None:
    extra = FILE.replace("COUNT=6", "COUNT=2\nRDATE;TZID=Europe/Berlin:20260305T180000,20260306T180000")
    choir = (await bring(client, ana, extra, events=["choir"]))["made"][0]
    gone = {"dates": ["2026-03-05T18:00:00"]}
    assert (await client.post(f"/api{choir}/remove-dates", json=gone, headers=ana)).status_code == 200
    later = extra.replace("T180000", "T193000")
    assert (await bring(client, ana, later, events=[], updates=["choir"]))["updated"] == [choir]
    dates = (await client.get(f"/api{choir}/dates?from=2026-03-01T00:00", headers=ana)).json()["dates"]
    assert [one["startsLocal"][8:16] for one in dates] == ["03T19:30", "06T19:30", "10T19:30"]


async def test_a_date_that_a_host_brought_back_here_survives_a_new_time(client, ana) -> None:
    """The file excludes it now as before, at another time."""
    excluded = FILE.replace("COUNT=6", "COUNT=3\nEXDATE;TZID=Europe/Berlin:20260310T180000")
    choir = (await bring(client, ana, excluded, events=["choir"]))["made"][0]
    extra = {"startsLocal": "2026-03-10T18:00"}
    assert (await client.post(f"/api{choir}/dates", json=extra, headers=ana)).status_code in {200, 201}
    later = excluded.replace("20260303T180000", "20260303T193000").replace("20260310T180000", "20260310T193000")
    assert (await bring(client, ana, later, events=[], updates=["choir"]))["updated"] == [choir]
    dates = (await client.get(f"/api{choir}/dates?from=2026-03-01T00:00", headers=ana)).json()["dates"]
    assert [one["startsLocal"][8:16] for one in dates] == ["03T19:30", "10T19:30", "17T19:30"]
