"""Outgoing content (e-mails, webhook messages, records on the network) contains no secret that its recipient may not
see.
"""

import msgspec
import pytest

from groundwork.clock import DAY, Instant
from openmeet.domain.attendance import event_hosting
from openmeet.domain.events.model import EventSlug
from openmeet.domain.events.queries import by_slug
from openmeet.domain.identities import actions as identities
from openmeet.domain.webhooks.model import DeliveryId, DeliveryState, Webhook, WebhookDelivery, WebhookEvent, WebhookId
from openmeet.web.webhooks.payloads import webhook_view
from tests.openmeet.deployment import deliver_all_publications, deployment
from tests.openmeet.privacy.planted import FORMER, GUEST, HOST, MEMBER, STRANGER, secrets_in_mails
from tests.openmeet.privacy.secret_fixtures import plant
from tests.openmeet.site_under_test import ORIGIN, details, site_on

__all__ = ["deployment"]

SIGNED_UP = (STRANGER, MEMBER, FORMER, GUEST, HOST)


async def test_e_mails_contain_only_secrets_of_their_recipients(make_sqlite, clock, tmp_path):
    site = site_on(await make_sqlite("openmeet"), clock)
    async with site.db.transaction() as tx:
        planted = await plant(tx)
        ana = planted.callers[HOST]
        public, *others = [await by_slug(tx, EventSlug(one["slug"])) for one in planted.addresses["events"]]
        # Everything changes, so that everybody who gets notifications gets one.
        moved = details(
            title="Open tea",
            mode="hybrid",
            venue_name=planted.secret("newvenue", GUEST),
            street=planted.secret("newstreet", GUEST),
            point=f"{planted.secret_number('newnorth', '48.217391', GUEST)}, 16.37",
            door_note=planted.secret("newdoor", GUEST),
            online_url=f"https://join.example/{planted.secret('newlink', GUEST)}",
            place_audience="attendees",
        )
        await event_hosting.revise(tx, ana, public.slug, moved)
        for event in others:
            if event is not None and not (event.is_draft or event.is_cancelled):
                await event_hosting.cancel(tx, ana, event.slug, "Rain")
    clock.turn(DAY)
    found = await secrets_in_mails(site, planted, tmp_path / "mail")
    for viewer in SIGNED_UP:
        theirs = found.pop(f"zqmailof{viewer}zq@example.org", set())
        assert theirs - planted.meant_for(viewer) == set(), f"a mail tells {viewer} secrets that they may not see"
        if viewer in {GUEST, MEMBER}:
            assert (
                theirs
                >= {GUEST: {"newvenue", "newstreet", "newnorth", "newlink", "message"}, MEMBER: {"clubnews"}}[viewer]
            )
    # People without an account get what they wrote themselves, and data about the events that they go to or are invited
    # to.
    going = {"newvenue", "newstreet", "newnorth", "newdoor", "newlink", "message"}
    assert found.pop("zqguestmailzq@example.org") == going | {"guestmail", "guestname"}
    assert found.pop("shy@example.org") == going | {"shyname"}
    assert found.pop("zqclubmailzq@example.org") == {"clubmail", "clubname"}
    for name in ("invitedmail", "cohostmail", "choirmail"):
        assert found.pop(f"zq{name}zq@example.org") == {name}
    assert found == {}


async def test_webhook_messages_contain_only_public_data(make_sqlite, clock):
    db = await make_sqlite("openmeet")
    async with db.transaction() as tx:
        planted = await plant(tx)
        subjects = [(WebhookEvent.EVENT, row["id"]) for row in await tx.fetch("select id from events order by id")]
        subjects += [
            (WebhookEvent.ANSWER, row["id"]) for row in await tx.fetch("select id from attendances order by id")
        ]
        subjects += [
            (WebhookEvent.MEMBERSHIP, f"{row['group_id']}/{row['user_id']}")
            for row in await tx.fetch("select group_id, user_id from group_members order by id")
        ]
        subjects += [
            (WebhookEvent.SERIES, row["id"]) for row in await tx.fetch("select id from event_series order by id")
        ]
        subjects += [(WebhookEvent.GROUP, row["id"]) for row in await tx.fetch("select id from groups order by id")]
    found = {}
    for viewer in SIGNED_UP:
        hook = Webhook(
            WebhookId("w"),
            planted.callers[viewer].user_id,
            None,
            "https://x.example",
            frozenset(WebhookEvent),
            b"",
            None,
            "",
            1,
            Instant(0),
        )
        found[viewer] = set()
        for kind, subject in subjects:
            delivery = WebhookDelivery(
                DeliveryId("d"), hook.id, kind, subject, DeliveryState.SENDING, 0, None, "", Instant(0), None, 1
            )
            async with db.reader() as reader:
                said = await webhook_view(ORIGIN)(reader, hook, delivery)
            found[viewer] |= planted.found_in(msgspec.json.encode(said).decode())
    # The webhook owner may receive the URLs of the things that they host, answered and joined. These URLs contain words
    # of the title.
    assert found[STRANGER] == set()
    assert found[MEMBER] == {"clubname", "denname"}
    assert found[FORMER] == {"clubname"}, "they are notified of their removal"
    assert found[GUEST] == {"privatetitle"}
    # Even the webhook of the host contains no more about a public event than everybody can see.
    assert {"privatetext", "unlistedtext", "clubeventtext"} <= found[HOST]
    # It also leaves out people that the host's page names: those who answered without an account or attend privately.
    unsaid = {
        "venue",
        "street",
        "north",
        "east",
        "door",
        "link",
        "reply",
        "companion",
        "guestmail",
        "guestname",
        "shyname",
    }
    assert found[HOST] & unsaid == set()


# Records may contain the time and the deployment of the public event, and the complete text of anything public.
ON_THE_NETWORK = {
    "venue",
    "street",
    "north",
    "east",
    "link",
    "privatetitle",
    "privatetext",
    "unlistedtitle",
    "clubeventtext",
    "rehearsaltext",
    "secretseriestext",
    "deneventtext",
    "denseriestext",
}


@pytest.mark.parametrize("is_open", [False, True], ids=["for few", "for everybody"])
async def test_repositories_contain_only_public_data(deployment, is_open):
    async with deployment.db.transaction() as tx:
        planted = await plant(tx, is_open=is_open)
        for viewer in SIGNED_UP:
            await identities.grant_consent(tx, planted.callers[viewer].user_id, handle=f"the-{viewer}.town.test")
    await deployment.deliver_jobs()
    await deliver_all_publications(deployment)
    text = ""
    for viewer in SIGNED_UP:
        did = (await deployment.identity(planted.callers[viewer].user_id)).did
        answer = await deployment.network.http.request(
            "GET", f"{deployment.pds_url}/xrpc/com.atproto.sync.getRepo?did={did}"
        )
        # The blocks of a repository contain texts unencoded.
        text += answer.body.decode("utf-8", "replace")
    published = planted.found_in(text)
    assert "Open tea" in text
    if is_open:
        assert published >= ON_THE_NETWORK
        assert published & {"reply", "companion", "shyname", "guestname", "guestmail", "message", "drafttitle"} == set()
    else:
        assert published == set()
