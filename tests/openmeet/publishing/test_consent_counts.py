"""The page where a person agrees to publishing says how many records there will be, and so many are written."""

import random
from itertools import product
from typing import Final

import pytest

from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance import invitations
from openmeet.domain.attendance.model import ReplyDetails, RsvpReply
from openmeet.domain.events.model import Detail, Event, RecordSettings
from openmeet.domain.events.values import Visibility
from openmeet.domain.identities import actions as identities
from openmeet.domain.users.model import Caller
from openmeet.network.publishing import consent
from openmeet.network.records.collections import EVENT, RSVP
from tests.openmeet.deployment import INSTANCE, Deployment, deliver_all_publications, records_of
from tests.openmeet.publishing.consent import choose_record_settings

# Visibility of the event, and the settings for its record. Only private events can be announced.
KINDS: Final = tuple(
    kind
    for kind in product(Visibility, (True, False), Detail, (False, True), (True, False))
    if kind[0] is Visibility.PRIVATE or not kind[3]
)


async def events_of_each_kind(deployment: Deployment, host: Caller) -> list[Event]:
    """Events that differ in who sees them and what their host lets be published."""
    made = []
    for visibility, is_wanted, detail, is_announced, publishes_rsvps in KINDS:
        event = await deployment.event(host, visibility=visibility.value)
        settings = RecordSettings(is_wanted, detail, is_announced, publishes_rsvps)
        await choose_record_settings(deployment, host, event.slug, settings)
        made.append(event)
    return made


@pytest.mark.parametrize("seed", range(2))
async def test_as_many_records_are_written_as_were_announced(deployment: Deployment, seed: int) -> None:
    chance = random.Random(seed)
    ana, ben = await deployment.person("Ana"), await deployment.person("Ben", agrees=False)
    others = await events_of_each_kind(deployment, ana)
    await deliver_all_publications(deployment)
    own = await events_of_each_kind(deployment, ben)
    for event in [*others, *own]:
        reply = ReplyDetails(is_private=chance.random() < 0.2)
        async with deployment.db.transaction() as tx:
            if event in others:
                await invitations.invite(tx, ana, event.slug, "ben@example.org")
            await attendance.answer(tx, ben, event.slug, chance.choice(list(RsvpReply)), reply)
    async with deployment.db.reader() as reader:
        announced = await consent.preview(reader, ben.user_id, instance=INSTANCE)
    async with deployment.db.transaction() as tx:
        await identities.grant_consent(tx, ben.user_id, handle="ben.town.test")
    await deployment.deliver_jobs()
    await deliver_all_publications(deployment)
    written = [len(await records_of(deployment, ben, name)) for name in (EVENT, RSVP)]
    assert written == [announced.events, announced.answers], f"seed {seed}"
    assert min(written) > 0
