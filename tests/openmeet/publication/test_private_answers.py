"""Who keeps it private that they go somewhere: nothing of it is published, whatever else they agreed to."""

import pytest

from openmeet.attendance import actions
from openmeet.attendance.model import Reply, Wishes
from openmeet.debts import publication_leases
from openmeet.debts.publications import Kind
from openmeet.events import actions as events
from openmeet.flags.switchboard import Switchboard
from openmeet.identities import actions as identities
from openmeet.identities import queries as identity_queries
from openmeet.identities.model import IdentityKind
from openmeet.publication import eligibility
from tests.openmeet.site_under_test import event_by, person

DID = "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa"


@pytest.mark.parametrize(("is_private", "decision"), [(True, eligibility.Hold), (False, eligibility.PublishRsvp)])
async def test_a_private_answer_is_held_and_an_open_one_published(make_sqlite, is_private, decision):
    db = await make_sqlite("openmeet")
    async with db.transaction() as tx:
        ana, ben = await person(tx, "Ana"), await person(tx, "Ben")
        event = await event_by(tx, ana)
        await events.note_record(tx, event.id, uri=f"at://{DID}/community.lexicon.calendar.event/x", cid="c", did=DID)
        await identity_queries.insert(
            tx,
            "did:plc:ben",
            ben.user_id,
            IdentityKind.CONNECTED,
            handle="",
            pds_url="https://pds.example",
            is_default=True,
        )
        await identities.agree(tx, ben.user_id, handle="ben.example")
        mine = await actions.answer(tx, ben, event.slug, Reply.GOING, Wishes(is_private=is_private))
        owed = await publication_leases.find(tx, Kind.RSVP, mine.id)
        assert type(await eligibility.decide(tx, owed, Switchboard())) is decision
        # The other way round it is looked at again.
        again = await actions.answer(tx, ben, event.slug, Reply.GOING, Wishes(is_private=not is_private))
        owed = await publication_leases.find(tx, Kind.RSVP, mine.id)
        assert owed.revision == again.revision
        assert type(await eligibility.decide(tx, owed, Switchboard())) is not decision
