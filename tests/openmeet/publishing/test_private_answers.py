"""Answers that a person keeps private are not published, even if the person has agreed to publishing."""

import pytest

from openmeet.domain.attendance import actions
from openmeet.domain.attendance.model import ReplyDetails, RsvpReply
from openmeet.domain.events import record_changes
from openmeet.domain.identities import actions as identities
from openmeet.domain.identities import queries as identity_queries
from openmeet.domain.identities.model import IdentityKind
from openmeet.feature_flags.flags import Switchboard
from openmeet.network.publishing import eligibility
from openmeet.network.publishing.decision import PublishRsvp, WithholdOrRetract
from openmeet.outbox import publication_queries
from openmeet.outbox.publications import PublicationKind
from tests.openmeet.site_under_test import event_by, person

DID = "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa"


@pytest.mark.parametrize(("is_private", "decision"), [(True, WithholdOrRetract), (False, PublishRsvp)])
async def test_a_private_answer_is_withheld_and_a_public_one_published(make_sqlite, is_private, decision):
    db = await make_sqlite("openmeet")
    async with db.transaction() as tx:
        ana, ben = await person(tx, "Ana"), await person(tx, "Ben")
        event = await event_by(tx, ana)
        await record_changes.store_record_uri(
            tx, event.id, uri=f"at://{DID}/community.lexicon.calendar.event/x", cid="c", did=DID
        )
        await identity_queries.insert(
            tx,
            "did:plc:ben",
            ben.user_id,
            IdentityKind.CONNECTED,
            handle="",
            pds_url="https://pds.example",
            is_default=True,
        )
        await identities.grant_consent(tx, ben.user_id, handle="ben.example")
        mine = await actions.answer(tx, ben, event.slug, RsvpReply.GOING, ReplyDetails(is_private=is_private))
        leased = await publication_queries.find(tx, PublicationKind.RSVP, mine.id)
        assert type(await eligibility.decide(tx, leased, Switchboard())) is decision
        # Changing the privacy of the answer causes another check of the publication.
        again = await actions.answer(tx, ben, event.slug, RsvpReply.GOING, ReplyDetails(is_private=not is_private))
        leased = await publication_queries.find(tx, PublicationKind.RSVP, mine.id)
        assert leased.revision == again.revision
        assert type(await eligibility.decide(tx, leased, Switchboard())) is not decision
