"""Events that came from a record of another app, edited here by somebody who does not let this site publish: the record stays as it
is, and what was edited here stays here (invariants 6 and 11).
"""

from typing import Any

import pytest

from at_protocol.syntax.did import parse_did
from openmeet.domain.attendance import event_hosting
from openmeet.domain.events.model import Event
from openmeet.domain.users.model import Caller, UserId
from openmeet.network.ingestion.reconcile import reconcile
from openmeet.network.records.collections import EVENT
from openmeet.network.repositories.sign_in import sign_in_with_password
from openmeet.outbox.publications import PublicationKind, PublicationState
from tests.openmeet.publication.test_edits_kept_here import revise, shown, tea_of_another_app
from tests.openmeet.publication.test_recalls import agree, delete, edit, records, settle, withdraw
from tests.openmeet.publication.test_wishes import wish
from tests.openmeet.town import Town


async def connected_only(town: Town) -> Caller:
    """Somebody who signs in with an account that they made elsewhere, and was never asked about publishing."""
    await town.account("cleo")
    return Caller(await sign_in(town), "cleo")


async def sign_in(town: Town) -> UserId:
    return await sign_in_with_password(town.db, town.network, identifier="cleo.town.test", password="a long password")


async def edited_on_both_sides(town: Town, cleo: Caller) -> tuple[dict[str, Any], Event]:
    """Renamed here, which must not be published, then in her app, and looked at again here."""
    record, event = await tea_of_another_app(town, cleo)
    await revise(town, cleo, event, title="Tea at ours")
    await settle(town, cleo)
    await edit(town, record, name="Cocoa")
    await settle(town, cleo)
    await sign_in(town)
    await settle(town, cleo)
    return record, event


async def says(town: Town, cleo: Caller, word: str) -> None:
    match word:
        case "no":
            await withdraw(town, cleo)
        case "no events":
            await agree(town, cleo)
            await wish(town, cleo, writes_events=False)


@pytest.mark.parametrize("word", ["nothing", "no", "no events"])
@pytest.mark.parametrize("is_late", [False, True])
async def test_the_record_stays_and_the_edit_waits_for_a_yes(town: Town, word: str, is_late: bool):
    """Whatever they said, before the edits or after them, and however often it is looked at."""
    cleo = await connected_only(town)
    if not is_late:
        await says(town, cleo, word)
    record, event = await edited_on_both_sides(town, cleo)
    if is_late:
        await says(town, cleo, word)
    await revise(town, cleo, event, title="Tea at ours", description="In the garden.")
    await settle(town, cleo)
    await sign_in(town)
    await settle(town, cleo)
    (there,) = await records(town, EVENT)
    assert (there["uri"], there["value"]["name"]) == (record["uri"], "Cocoa")
    standing = await town.standing(PublicationKind.EVENT, event.id)
    assert standing.state is PublicationState.WITHHELD
    said = standing.words(town.clock.now(), is_allowed=False, is_by_another_app=True)
    assert said == "changed only here"
    assert (await shown(town, event)).title == "Tea at ours"
    await agree(town, cleo)
    await wish(town, cleo, writes_events=True)
    await settle(town, cleo)
    (there,) = await records(town, EVENT)
    assert there["uri"] == record["uri"]
    assert (there["value"]["name"], there["value"]["description"]) == ("Tea at ours", "In the garden.")


async def test_a_record_deleted_meanwhile_comes_back_with_what_was_edited_here(town: Town):
    """Her app deletes the record that nobody here may write, and writes it anew: the event goes and comes, her edit is not lost."""
    cleo = await connected_only(town)
    record, event = await edited_on_both_sides(town, cleo)
    await delete(town, record)
    await settle(town, cleo)
    assert (await shown(town, event)).is_gone
    standing = await town.standing(PublicationKind.EVENT, event.id)
    assert (standing.state, standing.uri) == (PublicationState.RETRACTED, None)
    await edit(town, record, description="Bring cups.")
    await settle(town, cleo)
    now = await shown(town, event)
    assert (now.is_gone, now.title, now.description) == (False, "Tea at ours", "Bring cups.")
    assert (await town.record(record["uri"]))["name"] == "Tea"
    await agree(town, cleo)
    await settle(town, cleo)
    there = await town.record(record["uri"])
    assert (there["name"], there["description"]) == ("Tea at ours", "Bring cups.")


async def test_deleting_the_event_here_still_deletes_the_record(town: Town):
    """That is asked for by name, whatever they say about publishing."""
    cleo = await connected_only(town)
    _, event = await edited_on_both_sides(town, cleo)
    async with town.db.transaction() as tx:
        await event_hosting.delete(tx, cleo, event.slug)
    await settle(town, cleo)
    assert await records(town, EVENT) == []


async def test_what_we_wrote_into_it_is_still_taken_back(town: Town):
    """The page says so: "If you stop, we remove what we published." """
    cleo = await town.connected()
    _, event = await edited_on_both_sides(town, cleo)
    assert (await town.standing(PublicationKind.EVENT, event.id)).state is PublicationState.PUBLISHED
    await withdraw(town, cleo)
    await settle(town, cleo)
    assert await records(town, EVENT) == []


@pytest.mark.parametrize("is_narrower", [False, True])
async def test_the_daily_comparison_overwrites_nothing_that_may_not_be_sent(town: Town, is_narrower: bool):
    """What was typed here and is in no record differs from the record for that reason."""
    cleo = await connected_only(town)
    if is_narrower:
        await agree(town, cleo)
    record, event = await tea_of_another_app(town, cleo)
    visibility = "unlisted" if is_narrower else "public"
    await revise(town, cleo, event, title="Tea at ours", description="In the garden.", visibility=visibility)
    await settle(town, cleo)
    did = parse_did(record["uri"].split("/")[2])
    compared = await reconcile(town.db, town.network, town.processor.here, did, is_dry_run=False)
    assert (compared.repaired, compared.standing) == ([], [])
    now = await shown(town, event)
    assert (now.title, now.description) == ("Tea at ours", "In the garden.")
    assert (await town.record(record["uri"]))["name"] == "Tea"
