"""The Python client against a real site over real sockets: resources, pages, lost responses, errors."""

import io
import sys
from asyncio.subprocess import PIPE, create_subprocess_exec
from pathlib import Path

import msgspec
import pytest
from PIL import Image

from groundwork.clock import HOUR, HandClock
from openmeet.domain.attendance import host_decisions
from openmeet.domain.attendance.model import AttendanceId
from openmeet.domain.events.model import EventSlug
from openmeet.domain.users.model import Caller
from openmeet_client import errors
from openmeet_client.client import OpenMeet
from openmeet_client.errors import Changed
from openmeet_client.model import Dates, Joining, NewEvent, NewGroup, NewSeries, Proof, Question, SeriesEdit
from tests.openmeet.site_under_test import api_session
from tests.openmeet_client.unreliable_site import BOARD_GAMES, UnreliableSite, ana, client_of, url, weather

__all__ = ["ana", "url", "weather"]


ROOT = Path(__file__).parents[2]
# The clock of the tests is at 13:00 in Berlin on this day.
TODAY = NewEvent("Board games", "2026-03-01T14:00", "Europe/Berlin", ends_local="2026-03-01T20:00")


async def test_events_and_answers(weather: UnreliableSite, url: str, ana: OpenMeet):
    made = await ana.events.create(BOARD_GAMES)
    assert (made.title, made.starts_at, made.revision) == ("Board games", "2026-07-04T16:00:00Z", 1)
    assert (await ana.answers.give(made.slug, "going")).status == "attending"
    async with await client_of(weather, url, "Ben") as ben:
        await ben.answers.give(made.slug, "interested")
        read = await ben.events.get(made.slug)
    assert read.counts is not None
    assert (read.counts.going, read.counts.interested, read.my_status) == (1, 1, "interested")
    assert (await ana.events.cancel(made.slug, "Rain")).status_reason == "Rain"
    assert (await ana.events.reinstate(made.slug)).status == "scheduled"
    await ana.events.delete(made.slug)
    with pytest.raises(errors.Gone, match="The host deleted “Board games”"):
        await ana.events.get(made.slug)


async def test_photos_of_an_event(weather: UnreliableSite, url: str, ana: OpenMeet, clock: HandClock):
    event = await ana.events.create(TODAY)
    async with await client_of(weather, url, "Ben") as ben, await client_of(weather, url, "Cleo") as cleo:
        await ben.answers.give(event.slug, "going")
        with pytest.raises(errors.NotFound):
            await ben.photos.add(event.slug, picture(1))
        clock.turn(2 * HOUR)
        added = [await ben.photos.add(event.slug, picture(shade), "The winners") for shade in (1, 2, 3)]
        assert (await ben.photos.add(event.slug, picture(3))).id == added[2].id
        shown = [photo async for photo in ana.photos.of_event(event.slug, per_page=2)]
        assert {photo.id for photo in shown} == {photo.id for photo in added}
        assert (shown[0].added_by, shown[0].caption, shown[0].width) == ("Ben", "The winners", 8)
        assert (await ana.photos.file(shown[0].small_url)).startswith(b"\xff\xd8")
        assert (await ben.photos.describe(shown[0].id, "")).caption == ""
        with pytest.raises(errors.Forbidden):
            await ana.photos.describe(shown[0].id, "Losers")
        await ana.photos.remove(shown[0].id)
        with pytest.raises(errors.NotFound):
            await ben.photos.file(shown[0].url)
        with pytest.raises(errors.NotFound):
            assert [photo async for photo in cleo.photos.of_event(event.slug)]


async def test_proofs_of_attendance(weather: UnreliableSite, url: str, ana: OpenMeet, clock: HandClock):
    event = await ana.events.create(TODAY)
    async with await client_of(weather, url, "Ben") as ben, OpenMeet(url) as anyone:
        answer = await ben.answers.give(event.slug, "going")
        clock.turn(2 * HOUR)
        with pytest.raises(errors.NotFound):
            await ben.proofs.get(event.slug)
        with pytest.raises(errors.Refused, match="once a host has checked you in"):
            await ben.proofs.make(event.slug)
        async with weather.site.db.transaction() as tx:
            row = await tx.fetch_one("select author_id from events where slug = :slug", slug=event.slug)
            host = Caller(row["author_id"], "Ana")
            await host_decisions.check_in(tx, host, EventSlug(event.slug), AttendanceId(answer.id))
        proof = await ben.proofs.make(event.slug)
        assert (await ben.proofs.get(event.slug), proof.is_confirmed) == (proof, True)
        (listed,) = [one async for one in ben.proofs.mine(per_page=1)]
        assert (listed.proof_id, listed.event.title) == (proof.proof_id, "Board games")
        checked = await anyone.proofs.check(token_of(proof))
        assert (checked.shown_name, checked.event.host_name, checked.token.count(".")) == ("Ben", "Ana", 2)
        renewed = await ben.proofs.make(event.slug, replaces=proof.proof_id)
        await ben.proofs.withdraw(event.slug, renewed.proof_id)
        for ended in (proof, renewed):
            with pytest.raises(errors.Gone, match="withdrawn"):
                await anyone.proofs.check(token_of(ended))
        assert [one async for one in ben.proofs.mine()] == []


def token_of(proof: Proof) -> str:
    assert proof.url is not None
    return proof.url.rpartition("/")[2]


def picture(shade: int) -> bytes:
    written = io.BytesIO()
    Image.new("RGB", (8, 6), (shade, 0, 0)).save(written, "PNG")
    return written.getvalue()


async def test_pages_are_followed(ana: OpenMeet):
    made = {(await ana.events.create(BOARD_GAMES)).slug for _ in range(5)}
    assert {event.slug async for event in ana.events.coming(per_page=2)} == made
    assert len([event async for event in ana.events.mine("hosting", per_page=2)]) == 5


async def test_series_and_groups(ana: OpenMeet):
    series = await ana.series.create(NewSeries("Board games", "2026-07-07T18:00", "Europe/Berlin", "FREQ=WEEKLY"))
    assert "Tuesday" in series.sentence
    assert (await ana.series.get(series.slug)).rule == "FREQ=WEEKLY"
    assert [one.original_date for one in await ana.series.dates(series.slug, limit=2)] == [
        "2026-07-07T18:00:00",
        "2026-07-14T18:00:00",
    ]
    await ana.series.follow(series.slug)
    await ana.series.delete(series.slug, keep_events=False)


async def test_groups(ana: OpenMeet):
    group = await ana.groups.create(NewGroup("Players", "Europe/Berlin"))
    assert [one.my_role async for one in ana.groups.all(q="players", per_page=1)] == [group.my_role] == ["owner"]


async def test_changes_to_one_all_or_following_dates(ana: OpenMeet):
    """A plan changes nothing. One date is moved, the others are renamed, and the end is split off and then undone."""
    series = await ana.series.create(NewSeries("Board games", "2026-07-07T18:00", "Europe/Berlin", "FREQ=WEEKLY"))
    _, second, third = [one.original_date for one in await ana.series.dates(series.slug, limit=3)]
    moved = SeriesEdit("this", second, starts_local="2026-07-15T19:00")
    planned = await ana.series.plan(series.slug, moved)
    assert (planned.dates_changed, planned.makes_new_series) == (1, False)
    assert (await ana.series.get(series.slug)).revision == planned.revision
    await ana.series.edit(series.slug, moved, if_match=planned.revision)
    renamed = await ana.series.edit(series.slug, SeriesEdit("all", title="Card games"))
    assert (renamed.series.title, renamed.consequences.single_changes_kept) == ("Card games", 1)
    shown = await ana.series.dates(series.slug, limit=3)
    assert [one.starts_at for one in shown] == ["2026-07-07T16:00:00Z", "2026-07-15T17:00:00Z", "2026-07-21T16:00:00Z"]
    assert {one.title for one in shown} == {"Card games"}
    split = await ana.series.edit(series.slug, SeriesEdit("following", third, title="Chess"))
    assert split.consequences.makes_new_series
    assert {one.slug async for one in ana.series.mine(per_page=1)} == {series.slug, split.series.slug}
    with pytest.raises(errors.Changed):
        await ana.series.undo(split.series.slug, if_match=split.series.revision + 7)
    await ana.series.undo(split.series.slug)
    assert [one.slug async for one in ana.series.mine()] == [series.slug]


async def test_dates_are_cancelled_and_restored(ana: OpenMeet):
    event = await ana.events.create(BOARD_GAMES)
    series = await ana.series.begin_with(event.slug, "FREQ=WEEKLY;COUNT=6")
    names = [one.original_date for one in await ana.series.dates(series.slug)]
    off = await ana.series.cancel(series.slug, "Holidays", Dates(from_date=names[1], to_date=names[3]))
    assert off.dates_changed == 3
    assert [one.status for one in await ana.series.dates(series.slug)] == ["scheduled"] + ["cancelled"] * 3 + [
        "scheduled"
    ] * 2
    assert (await ana.series.reinstate(series.slug, Dates([names[2]]))).dates_changed == 1
    assert (await ana.series.open_date(series.slug, names[5])).is_stored
    paused = await ana.series.pause(series.slug, "Summer", is_silent=True)
    assert paused.status == "paused"
    with pytest.raises(Changed):
        await ana.series.pause(series.slug, "Winter", if_match=series.revision)
    with pytest.raises(Changed):
        await ana.series.resume(series.slug, if_match=series.revision)
    assert (await ana.series.resume(series.slug, if_match=paused.revision)).status == "active"
    await ana.series.unfollow(series.slug)


async def test_drafts_and_joining_rules(weather: UnreliableSite, url: str, ana: OpenMeet):
    draft = await ana.events.create(NewEvent("Chess", "2026-07-04T18:00", "Europe/Berlin", is_draft=True))
    assert draft.is_draft
    asked = await ana.events.set_joining(
        draft.slug, Joining(needs_approval=True, questions=[Question("What do you eat?")])
    )
    assert asked.questions[0].question_id
    assert await ana.events.joining(draft.slug) == asked
    wider = await ana.events.set_joining(
        draft.slug, msgspec.structs.replace(asked, max_party=3), if_match=asked.revision
    )
    assert wider.max_party == 3
    with pytest.raises(Changed):
        await ana.events.set_joining(draft.slug, asked, if_match=asked.revision)
    assert not (await ana.events.publish(draft.slug, if_match=draft.revision)).is_draft
    async with await client_of(weather, url, "Ben") as ben:
        assert (await ben.events.joining(draft.slug)).needs_approval
    again = await ana.events.duplicate(draft.slug, "2026-08-04T18:00")
    assert (again.title, again.starts_at, again.is_draft) == ("Chess", "2026-08-04T16:00:00Z", False)
    assert (await ana.events.unpublish(again.slug)).is_draft


async def test_creation_with_a_lost_response_is_repeated_once(weather: UnreliableSite, ana: OpenMeet):
    """If the response to a creation is lost, the client sends it again with the same idempotency key, and only one
    event exists.
    """
    weather.losing = 2
    made = await ana.events.create(BOARD_GAMES)
    assert (weather.asked, len(weather.waits)) == (3, 2)
    assert [event.slug async for event in ana.events.mine("hosting")] == [made.slug]


async def test_busy_server_is_retried_after_the_given_time(weather: UnreliableSite, ana: OpenMeet):
    weather.busy = 2
    await ana.events.create(BOARD_GAMES)
    assert weather.waits == [7.0, 7.0]


async def test_after_some_tries_it_gives_up(weather: UnreliableSite, ana: OpenMeet):
    weather.losing = 100
    with pytest.raises(errors.NoAnswer):
        await ana.events.create(BOARD_GAMES)
    assert weather.asked == 4
    weather.losing, weather.busy = 0, 100
    with pytest.raises(errors.Problem) as raised:
        await ana.events.get("x")
    assert raised.value.status == 503


async def test_problems_are_exceptions_with_the_servers_message(weather: UnreliableSite, url: str, ana: OpenMeet):
    with pytest.raises(errors.Invalid) as invalid:
        await ana.events.create(NewEvent("", "2026-07-04T18:00", "Europe/Berlin"))
    assert (list(invalid.value.fields), bool(invalid.value.request_id)) == (["title"], True)
    made = await ana.events.create(BOARD_GAMES)
    await ana.events.save(made.slug, BOARD_GAMES, if_match=made.revision)
    with pytest.raises(errors.Changed):
        await ana.events.delete(made.slug, if_match=made.revision - 1)
    async with await client_of(weather, url, "Ben") as ben:
        with pytest.raises(errors.Forbidden):
            await ben.events.delete(made.slug)
    async with OpenMeet(url, "nonsense", wait=weather.wait) as stranger:
        with pytest.raises(errors.NotSignedIn):
            await stranger.events.get(made.slug)
    await ana.events.cancel(made.slug)
    with pytest.raises(errors.Refused):
        await ana.answers.give(made.slug, "going")


async def test_example_runs_unchanged(weather: UnreliableSite, url: str):
    async with weather.site.browser() as browser:
        session = await api_session(browser, "ana@example.org", "Ana")
        scopes = ["read", "events:write", "answers:write"]
        made = await browser.post("/api/tokens", json={"name": "Example", "scopes": scopes}, headers=session)
    script = ROOT / "docs/examples/api_client.py"
    running = await create_subprocess_exec(sys.executable, script, url, made.json()["token"], stdout=PIPE, stderr=PIPE)
    said, complaints = await running.communicate()
    lines = said.decode().splitlines()
    assert running.returncode == 0, complaints.decode()
    assert lines[1:4] == ["attending", "Board games, 2031-03-04T17:00:00Z, 1 going", "cancelled"]
    assert len(lines) == 5
