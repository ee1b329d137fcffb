"""A series whose new dates many people are going to or invited to, so that a job adds their RSVPs."""

import pytest

from groundwork.database.transaction import Database, Reader, Transaction
from groundwork.outbox import dispatcher
from groundwork.outbox.delivery import one_job_per_call
from openmeet.domain.attendance import invitations
from openmeet.domain.attendance.model import AttendanceStatus, RsvpReply
from openmeet.domain.events import co_hosts
from openmeet.domain.events.model import Event
from openmeet.domain.notifications import fan_out
from openmeet.domain.series import follower_queries, new_date_rsvps, standing_rsvps
from openmeet.domain.series.model import Series
from openmeet.domain.users.model import Caller
from openmeet.outbox.kinds import JobKind
from programs.outbox_dispatcher import AUDIENCES
from tests.openmeet.series.practice import create_weekly_series, dates, kinds_received, status_of
from tests.openmeet.site_under_test import person

FAR = ["2027-11-23T18:00:00", "2027-11-30T18:00:00"]

in_job_or_not = pytest.mark.parametrize("in_job", [False, True], ids=["at once", "in a job"], indirect=True)


async def add_rsvps(db: Database) -> None:
    while await dispatcher.run_once(db, {JobKind.NEW_DATE: one_job_per_call(new_date_rsvps.new_date_handler(db))}):
        pass


async def notify_the_others(db: Database) -> None:
    while await dispatcher.run_once(db, {JobKind.FAN_OUT: one_job_per_call(fan_out.fan_out_handler(db, AUDIENCES))}):
        pass


async def audience(tx: Transaction, **more: object) -> tuple[Caller, Series, dict[str, Caller]]:
    """Ana's series. Ben, Cleo and Dan go to all dates, Eve to those without limited places. Fay is invited to all, and so
    is Dan. Gus follows, and so does Cleo. Hal co-hosts all dates, Ian went to all until today.
    """
    ana, series = await create_weekly_series(tx, **more)
    people = {name: await person(tx, name) for name in ("Ben", "Cleo", "Dan", "Eve", "Fay", "Gus", "Hal", "Ian")}
    first = (await dates(tx, series))[0]
    for name in ("Dan", "Fay"):
        await invitations.invite(tx, ana, first.slug, f"{name.lower()}@example.org", for_series=True)
    for name in ("Ben", "Cleo", "Dan", "Eve", "Ian"):
        await standing_rsvps.answer_all(tx, people[name], series.slug, RsvpReply.GOING, skips_limited=name == "Eve")
    await standing_rsvps.stop(tx, people["Ian"], series.slug, declines=False)
    for name in ("Gus", "Cleo"):
        await follower_queries.follow(tx, series.id, people[name].user_id, notifies=True)
    invitation = await co_hosts.invite(tx, ana, first.slug, "hal@example.org", for_series=True)
    await co_hosts.accept(tx, people["Hal"], invitation.id)
    await tx.execute("delete from notifications")
    await tx.execute("delete from notification_emails")
    return ana, series, people


async def notified(reader: Reader, people: dict[str, Caller]) -> dict[str, list[object]]:
    received = {name: list(await kinds_received(reader, who)) for name, who in people.items()}
    return {name: kinds for name, kinds in received.items() if kinds}


async def statuses(reader: Reader, event: Event, people: dict[str, Caller]) -> dict[str, AttendanceStatus]:
    found = {name: await status_of(reader, event, who) for name, who in people.items()}
    return {name: status for name, status in found.items() if status is not None}
