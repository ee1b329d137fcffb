"""The number of notifications and e-mails that an edit causes is shown before the edit, and equals the number that is
sent.
"""

from dataclasses import replace
from datetime import timedelta
from itertools import product

import pytest

from openmeet.domain.notifications import preferences
from openmeet.domain.notifications.model import Channel, NotificationTopic
from openmeet.domain.notifications.queries import newest
from openmeet.domain.series import actions, apply_edits, date_queries
from openmeet.domain.series.dates import original_text
from openmeet.domain.series.edits import Edit, NewRule, plan_of, series_details_at
from openmeet.domain.series.model import EditScope
from openmeet.domain.series.plan import moved, plan_all
from openmeet.emails.notifications.content import notification_lines
from openmeet.recurrence.rule import parse_rule
from openmeet.web.series import json_views, parse, scope_texts
from tests.openmeet.series.api_client import SECOND, create_series, post_to_series
from tests.openmeet.series.api_client import listed_dates as dates_by_api
from tests.openmeet.series.practice import create_weekly_series, dates, give_rsvp, lock_series, people_to_mail
from tests.openmeet.site_under_test import person


async def edit(tx, ana, series, what):
    """Apply an edit; return the plan's numbers of people."""
    series = await lock_series(tx, ana, series)
    template, timing = series.content, series.timing
    match what:
        case "description":
            template = replace(template, description="Bring a stand.")
        case "start":
            start = timing.pattern.start
            timing = moved(timing, start, start + timedelta(hours=1), timing.length)
    plan = plan_all(series, template, timing, await date_queries.stored(tx, series.id), tx.now)
    counted = await json_views.consequences(tx, series, plan)
    await apply_edits.apply_plan(tx, series, plan)
    return counted.people_told, counted.people_mailed


@pytest.mark.parametrize(("what", "mailed"), [("description", []), ("start", ["Ben", "Cleo"])])
async def test_notified_and_mailed_people_are_counted_separately(practice_db, what, mailed):
    async with practice_db.transaction() as tx:
        ana, series = await create_weekly_series(tx)
        ben, cleo, dan, eve = [await person(tx, name) for name in ("Ben", "Cleo", "Dan", "Eve")]
        for who in (ben, dan, eve):
            await give_rsvp(tx, who, (await dates(tx, series))[0])
        await actions.follow(tx, cleo, series.slug)
        await preferences.put(tx, dan.user_id, {(NotificationTopic.CHANGES, Channel.EMAIL): False})
        await preferences.put(tx, eve.user_id, {(NotificationTopic.CHANGES, one): False for one in Channel})
        await tx.execute("delete from notification_emails")
        before = {who.user_id: len(await newest(tx, who.user_id, 9)) for who in (ben, cleo, dan, eve)}
        counted = await edit(tx, ana, series, what)
        told = [one for one, was in before.items() if len(await newest(tx, one, 9)) > was]
        assert counted == (len(told), len(mailed)) == (3, len(mailed))
        assert await people_to_mail(tx) == mailed


async def test_only_people_whose_date_moves_are_mailed(practice_db):
    """A date with its own time stays when the others move, so a person who goes only to that date gets no e-mail."""
    async with practice_db.transaction() as tx:
        ana, series = await create_weekly_series(tx)
        ben, cleo = await person(tx, "Ben"), await person(tx, "Cleo")
        first, second, *_ = await dates(tx, series)
        await give_rsvp(tx, ben, first)
        await give_rsvp(tx, cleo, second)
        await tx.execute("update events set overridden_fields = :own where id = :id", own="starts", id=first.id)
        await tx.execute("delete from notification_emails")
        series = await lock_series(tx, ana, series)
        start = series.timing.pattern.start
        timing = moved(series.timing, start, start + timedelta(hours=1), series.timing.length)
        template = replace(series.content, description="Bring a stand.")
        plan = plan_all(series, template, timing, await date_queries.stored(tx, series.id), tx.now)
        counted = await json_views.consequences(tx, series, plan)
        await apply_edits.apply_plan(tx, series, plan)
        assert (counted.people_told, counted.people_mailed) == (2, 1)
        assert await people_to_mail(tx) == ["Cleo"]


async def test_dates_that_did_not_move_are_not_reported_as_moved(practice_db):
    async with practice_db.transaction() as tx:
        ana, series = await create_weekly_series(tx)
        ben = await person(tx, "Ben")
        for event in (await dates(tx, series))[:3]:
            await give_rsvp(tx, ben, event)
        await edit(tx, ana, series, "description")
        ((_, said),) = await notification_lines(tx, await newest(tx, ben.user_id, 1), ben.user_id)
    assert said.after == (
        ", Tue 24 Nov, has changed: description. Other dates changed, too: Tue 1 Dec, 18:00; Tue 8 Dec, 18:00."
    )


@pytest.mark.parametrize(
    ("scope", "changes"),
    [
        *product(EditScope, ["text", "time", "place"]),
        # A new rule is for several dates.
        (EditScope.FOLLOWING, "rule"),
        (EditScope.ALL, "rule"),
    ],
)
async def test_the_notification_is_shown_before_the_edit(practice_db, scope, changes):
    """The sentence is the one that a person who goes to all dates gets, word by word."""
    async with practice_db.transaction() as tx:
        ana, series = await create_weekly_series(tx)
        ben = await person(tx, "Ben")
        for event in await dates(tx, series):
            await give_rsvp(tx, ben, event)
        series = await lock_series(tx, ana, series)
        name = original_text(series.timing.pattern.start + timedelta(days=7))
        before, rewritten = series_details_at(series, name), None
        typed = {
            "text": {"title": "Rehearsal", "description": "Bring a cup."},
            "time": {"starts": "2026-12-01T18:30"},
            "place": {"venue_name": "Atelier", "locality": "Ulm"},
        }.get(changes)
        details, changed = parse.changed_details(typed, before, None) if typed else (None, frozenset())
        if not typed:
            rewritten = NewRule(parse_rule("FREQ=WEEKLY;INTERVAL=2"))
        edited = Edit(scope, name, details, changed, rewritten)
        plan = plan_of(series, edited, await date_queries.stored(tx, series.id), tx.now)
        shown = scope_texts.notification_of(series, plan, tx.now)
        await apply_edits.apply_plan(tx, series, plan)
        said = await notification_lines(tx, await newest(tx, ben.user_id, 1), ben.user_id)
    if scope is EditScope.ALL and changes == "rule":
        # Dates with answers stay, also those outside the new rule.
        assert (shown, said) == ("", [])
        return
    assert [shown] == [f"{line.before}{line.title}{line.after}" for _, line in said]
    assert {"text": "changed", "time": "18:30", "place": "Atelier", "rule": "every second Tuesday"}[changes] in shown


async def test_the_form_and_the_api_show_both_numbers(client, ana, ben):
    made = await create_series(client, ana)
    second = (await dates_by_api(client, made))[1]
    await client.put(f"/api/events/{second['slug']}/answer", json={"reply": "going"}, headers=ben)
    body = {"scope": "all", "originalDate": SECOND, "description": "Bring a stand."}
    plan = (await post_to_series(client, ana, made, "plan", body)).json()
    assert (plan["peopleTold"], plan["peopleMailed"]) == (1, 0)
    plan = (await post_to_series(client, ana, made, "plan", body | {"startsLocal": "2026-03-10T19:00"})).json()
    assert (plan["peopleTold"], plan["peopleMailed"]) == (1, 1)
