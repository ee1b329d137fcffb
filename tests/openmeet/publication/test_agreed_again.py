"""Consent withdrawn and given again around what is said here and elsewhere: what was said last ends in every record."""

from collections.abc import Awaitable

import pytest

from at_protocol.syntax.datetime import format_datetime
from at_protocol.syntax.did import Did
from groundwork.clock import MINUTE
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.series import actions as series_actions
from openmeet.domain.series import cancel_dates
from openmeet.domain.series.model import Series
from openmeet.domain.users.model import Caller
from openmeet.feature_flags.flags import Flag
from openmeet.network.records.collections import ACCEPTANCE, EVENT, GROUP, MEMBERSHIP, RSVP, SERIES
from tests.openmeet.publication.test_answers_heard_late import HEARINGS, going, hear, settle, status, words_in
from tests.openmeet.publication.test_groups import found, let_in, records, records_in, revise, show, turn
from tests.openmeet.publication.test_recalls import agree, withdraw
from tests.openmeet.publication.test_series_records import make
from tests.openmeet.publication.test_where_they_answered import said_elsewhere
from tests.openmeet.town import Town

# W: withdraws consent, A: agrees again, D: says "declined" here, T: says "interested" there, X: deletes that, H: it is heard here.
ORDERS = (
    *("WTDHA", "WTDAH", "WDATH", "TWDHA", "TDWHA", "TDWAH", "TWAHD"),
    *("DTWAH", "DWTAH", "WDTHA", "WDTAH", "DTWHA"),
    *("TWDXHA", "TDWXAH", "DTWAXH", "WTDHAX"),
)


@pytest.mark.parametrize("how", HEARINGS)
@pytest.mark.parametrize("pays", ["at once", "when consent ends", "in the end"])
@pytest.mark.parametrize("order", ORDERS)
async def test_the_last_word_is_in_the_record_that_counts(town: Town, order: str, pays: str, how: str):
    """Whatever was said last, here or there, is what this site shows and what other apps read in the newest record."""
    cleo, did, event, uri = await going(town)
    theirs = ""
    for step in order:
        town.clock.turn(MINUTE)
        match step:
            case "W":
                await withdraw(town, cleo)
            case "A":
                await agree(town, cleo)
            case "D":
                await town.answer(cleo, event.slug, RsvpReply.DECLINED)
            case "T":
                theirs = await said_elsewhere(town, "cleo", did, uri, "interested", format_datetime(town.clock.now()))
            case "X" if theirs in await records_in(town, did, RSVP):
                await deleted_elsewhere(town, did, theirs)
            case "H":
                await hear(town, cleo, did, how)
        if pays == "at once" or (pays == "when consent ends" and step == "W"):
            await town.pay()
    for _ in range(3):
        town.clock.turn(MINUTE)
        await town.pay()
        await town.listen(cleo.user_id)
    await settle(town, did)
    is_declined = "X" in order or order.index("T") < order.index("D")
    if (order, pays, how) == ("DTWAXH", "in the end", "by the stream"):
        # "Declined" was never sent, and gave way to the later word. That is deleted, and leaves what the repository still says.
        assert (await status(town), set((await words_in(town, did)).values())) == ("attending", {"going"})
        return
    assert await status(town) == ("declined" if is_declined else "interested")
    words = await words_in(town, did)
    newest = max(words, key=lambda one: created[one]) if (created := await written_at(town, did)) else None
    assert newest is None or words[newest] == ("notgoing" if is_declined else "interested")
    if "X" not in order:
        assert newest is not None


async def deleted_elsewhere(town: Town, did: Did, uri: str) -> None:
    app = await town.stranger("cleo")
    body = {"repo": did, "collection": RSVP, "rkey": uri.rpartition("/")[2]}
    await app.procedure("com.atproto.repo.deleteRecord", body)


async def written_at(town: Town, did: Did) -> dict[str, str]:
    """When the answers in a repository say that they were written, by uri."""
    return {uri: (await town.record(uri))["createdAt"] for uri in await records_in(town, did, RSVP)}


async def consent_comes_back(town: Town, who: Caller, change: Awaitable[object], *, is_paid_between: bool) -> None:
    """Withdrawn, something is changed, and given again; every debt is paid in the end."""
    for step in (withdraw(town, who), change, agree(town, who)):
        await step
        if is_paid_between:
            town.clock.turn(MINUTE)
            await town.pay()
    for _ in range(3):
        town.clock.turn(MINUTE)
        await town.pay()
        await town.listen(who.user_id)


@pytest.mark.parametrize("is_paid_between", [True, False])
async def test_an_event_changed_without_consent_is_published_as_it_is(town: Town, *, is_paid_between: bool):
    cleo = await town.connected("cleo")
    event = await town.event(cleo, title="Chess")
    await town.pay()
    (uri,) = await records(town, cleo, EVENT)
    change = town.revise(cleo, event.slug, title="Go")
    await consent_comes_back(town, cleo, change, is_paid_between=is_paid_between)
    assert {one: record["name"] for one, record in (await records(town, cleo, EVENT)).items()} == {uri: "Go"}


@pytest.mark.parametrize("is_paid_between", [True, False])
async def test_a_series_changed_without_consent_is_published_as_it_is(town: Town, *, is_paid_between: bool):
    await turn(town, Flag.SERIES_LEXICON)
    ana, series = await make(town)
    ((uri, before),) = (await records(town, ana, SERIES)).items()
    assert "exdate" not in before
    change = leave_out(town, ana, series, "2026-03-14T18:00:00")
    await consent_comes_back(town, ana, change, is_paid_between=is_paid_between)
    ((same, after),) = (await records(town, ana, SERIES)).items()
    assert (same, after["exdate"]) == (uri, ["2026-03-14T18:00:00"])


async def leave_out(town: Town, owner: Caller, series: Series, date: str) -> None:
    async with town.db.transaction() as tx:
        await cancel_dates.remove_dates(tx, await series_actions.lock_own(tx, owner, series.slug), [date])


@pytest.mark.parametrize("is_paid_between", [True, False])
async def test_a_group_and_its_members_are_published_as_they_are(town: Town, *, is_paid_between: bool):
    """What a member says and what the group says of them name the group's record where it is after both have agreed again."""
    await turn(town, Flag.GROUPS, Flag.MEMBERSHIPS)
    cleo, ben = await town.connected("cleo"), await town.connected("ben")
    group = await found(town, cleo)
    await let_in(town, cleo, group, ben)
    await show(town, ben, group)
    (before,) = await records(town, cleo, GROUP)
    change = revise(town, cleo, group, name="Go club")
    await consent_comes_back(town, cleo, change, is_paid_between=is_paid_between)
    await consent_comes_back(town, ben, town.pay(), is_paid_between=is_paid_between)
    ((uri, record),) = (await records(town, cleo, GROUP)).items()
    assert (uri, record["name"]) == (before, "Go club")
    ((_, statement),) = (await records(town, ben, MEMBERSHIP)).items()
    assert statement["group"] == uri
    assert [one["group"] for one in (await records(town, cleo, ACCEPTANCE)).values()] == [uri]
