"""An event of Ana's, edited on the site and by another app, and her choice between the two versions."""

from dataclasses import replace

from groundwork.database.transaction import Database
from openmeet.domain.events import actions as events
from openmeet.domain.events.model import Event, EventSlug
from openmeet.domain.identities import queries as identity_queries
from openmeet.domain.identities.model import IdentityKind
from openmeet.domain.merge_decisions.model import KeptDecision, MergeSide
from openmeet.domain.users import actions as users
from openmeet.domain.users.model import Caller
from openmeet.network.ingestion import merge_review
from tests.openmeet.ingestion.network import did, event
from tests.openmeet.ingestion.view import apply_messages
from tests.openmeet.site_under_test import details
from tests.simulation.oracle import EVENT

TEA_URI = f"at://{did(1)}/{EVENT}/tea"
CALLED_OFF = f"{EVENT}#cancelled"
TEA_TIMES = {"startsAt": "2026-07-04T16:00:00Z", "endsAt": "2026-07-04T18:00:00Z", "timezone": "Europe/Berlin"}


async def create_person(db: Database, name: str) -> Caller:
    async with db.transaction() as tx:
        return Caller(await users.create_person(tx, display_name=name, email=f"{name.lower()}@example.org"), name)


async def ingest_anas_event(db: Database, *, is_signed: bool = True) -> tuple[Caller, EventSlug]:
    """Ana's event, read from her repository, or from unsigned data about it."""
    ana = await create_person(db, "Ana")
    async with db.transaction() as tx:
        await identity_queries.insert(
            tx, did(1), ana.user_id, IdentityKind.CONNECTED, handle="", pds_url="", is_default=True
        )
    await apply_messages(db, replace(event(1, "tea", 1, "Tea", **TEA_TIMES), is_verified=is_signed))
    async with db.reader() as reader:
        (row,) = await reader.fetch("select slug from events")
    return ana, EventSlug(row["slug"])


async def edit_on_both_sides(db: Database) -> tuple[Caller, Event]:
    """Ana's event, edited on this site and by another app, each before it had read the other's edit."""
    ana, slug = await ingest_anas_event(db)
    async with db.transaction() as tx:
        tea = await events.revise(
            tx, ana, slug, details(title="Ours", starts="2026-07-04T19:00", ends="2026-07-04T20:00")
        )
    theirs = {**TEA_TIMES, "startsAt": "2026-07-04T15:00:00Z", "status": CALLED_OFF}
    await apply_messages(db, event(1, "tea", 2, "Theirs", **theirs))
    return ana, tea


async def kept_decisions(db: Database, ana: Caller, tea: Event) -> dict[str, KeptDecision]:
    """What was decided about the fields that both sides changed, by field."""
    async with db.reader() as reader:
        _, found = await merge_review.merged(reader, ana, tea.slug)
    return {one.decision.field: one for one in found}


async def choose_version(db: Database, ana: Caller, tea: Event, field: str, choice: MergeSide) -> Event:
    conflict = (await kept_decisions(db, ana, tea))[field]
    async with db.transaction() as tx:
        return await merge_review.choose(tx, ana, tea.slug, field=field, theirs_rev=conflict.theirs_rev, choice=choice)
