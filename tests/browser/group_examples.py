"""A deployment with groups in which every page has content, and the paths of these pages."""

from at_protocol.syntax.did import parse_did
from groundwork.database.transaction import Transaction
from openmeet.domain.events import actions as events
from openmeet.domain.events.group_of_event import as_group_of_event
from openmeet.domain.groups import (
    actions,
    administration,
    announcements,
    calendar_feeds,
    followed_dids,
    ownership,
    publication_settings,
    queries,
)
from openmeet.domain.groups.model import GroupRole, GroupSlug
from openmeet.domain.groups.record_queries import by_record
from openmeet.domain.groups.rules import token_of
from openmeet.domain.identities import actions as identities
from openmeet.domain.media import uploads
from openmeet.domain.media.pictures import Picture
from openmeet.domain.sign_in import actions as sign_in
from openmeet.domain.sign_in.model import SessionTransport
from openmeet.domain.users.model import Caller
from openmeet.feature_flags.flags import Flag, switch
from openmeet.network.ingestion import remote_groups
from openmeet.network.records.collections import GROUP
from openmeet.network.records.group import read_group
from tests.browser.browsers import Deployment
from tests.openmeet.groups.people import add_member, group_by
from tests.openmeet.publishing.pictures import draw_jpeg
from tests.openmeet.site_under_test import CODE_KEY, details, person
from tests.worker_pool import WORKERS

LONG = "Friends of the Donaudampfschifffahrtsgesellschaftskapitänsmützensammlung"


async def add_group_examples(openmeet: Deployment) -> tuple[str, dict[str, str]]:
    """A group with content on each of its pages, and an empty group. Returns the owner's session token and the paths."""
    async with openmeet.db.transaction() as tx:
        ana = await person(tx, "Ana Lindqvist")
        paths = await _groups(tx, ana)
    key, made = await uploads.store_picture(openmeet.db, openmeet.pictures, WORKERS, ana.user_id, draw_jpeg(side=400))
    async with openmeet.db.transaction() as tx:
        slug = GroupSlug(paths["group"].removeprefix("/groups/"))
        picture = Picture(key, "A cap with a very long ribbon.", made.width, made.height)
        await actions.set_picture(tx, ana, slug, picture)
        session = await sign_in.open_session(tx, ana.user_id, SessionTransport.BROWSER)
    return session.token, paths


async def _groups(tx: Transaction, ana: Caller) -> dict[str, str]:
    group = await group_by(
        tx,
        ana,
        name=LONG,
        description="We meet every Tuesday.\n\n- Bring a *cap*.\n- Or two.",
        join_policy="request",
        join_question="Which cap is your favourite, and why?",
        country="Germany",
        sync_enabled="on",
    )
    ben = await add_member(tx, group, ana, "Ben", GroupRole.ADMIN)
    await add_member(tx, group, ana, "Cleopatra Montgomery-Featherstonehaugh", GroupRole.MODERATOR)
    troll = await add_member(tx, group, ana, "Troll")
    await administration.ban(tx, ana, group.slug, troll.user_id)
    for name, why in (("Dan", "The blue one, because it is the captain's own. " * 4), ("Eve", "All of them.")):
        await actions.join(tx, await person(tx, name), group.slug, why)
    for title, day in (("Caps of the coast", "2026-03-10"), ("A long evening about anchors and caps", "2026-03-10")):
        said = details(title=title, starts=f"{day}T18:00", ends=f"{day}T20:00")
        await events.create(tx, ben, said, group=as_group_of_event(group))
    await events.create(tx, ana, details(title="For us", visibility="private"), group=as_group_of_event(group))
    await announcements.announce(tx, ana, group.slug, "Next week we meet at the **harbour**.\n\nBring a lamp.")
    link = await administration.invite_by_link(tx, ana, group.slug, uses=20)
    await administration.invite_by_mail(
        tx, CODE_KEY, ana, group.slug, "somebody.with.a.very.long.address@subdomain.example.org"
    )
    await followed_dids.follow(tx, ana, group.slug, "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa")
    await ownership.offer(tx, ana, group.slug, ben.user_id)
    await calendar_feeds.renew(tx, CODE_KEY, group, await queries.find_member(tx, group.id, ana.user_id))
    empty = await group_by(tx, ana, name="Quiet readers", visibility="private")
    offered = await group_by(tx, ben, name="Chess club")
    await actions.join(tx, ana, offered.slug)
    await ownership.offer(tx, ben, offered.slug, ana.user_id)
    path = f"/groups/{group.slug}"
    for flag in (Flag.GROUPS, Flag.MEMBERSHIPS):
        await switch(tx, flag, is_on=True, changed_by="a test")
    await identities.grant_consent(tx, ana.user_id, handle="ana.town.test")
    await publication_settings.show_membership(tx, ana, group.slug, is_public=True)
    did = parse_did("did:plc:aaaaaaaaaaaaaaaaaaaaaaaa")
    uri = f"at://{did}/{GROUP}/3mfyouzqqu325"
    read = read_group(GROUP, {"name": "Readers of another town", "description": "We meet there."})
    await remote_groups.apply_record(tx, did, uri, "bafyreidiogcxp4vqim4v3c3ivzlj5dixd2qsrjyiqdo36wlkcc34lej3ri", read)
    elsewhere = await by_record(tx, uri)
    assert elsewhere is not None
    return {
        "network": f"{path}/network",
        "elsewhere": f"/groups/{elsewhere.slug}",
        "asking elsewhere": f"/groups/{elsewhere.slug}/network",
        "groups": "/groups",
        "my groups": "/groups?which=mine",
        "no such group": "/groups?q=zzz",
        "new group": "/groups/new",
        "group": path,
        "empty group": f"/groups/{empty.slug}",
        "events": f"{path}/events",
        "no events": f"/groups/{empty.slug}/events",
        "month": f"{path}/events?view=month&month=2026-03",
        "past": f"{path}/events?view=past",
        "picture": f"{path}/picture",
        "members": f"{path}/members",
        "sharing": f"{path}/share",
        "banned": f"{path}/members?which=banned",
        "requests": f"{path}/requests",
        "no requests": f"/groups/{empty.slug}/requests",
        "invitations": f"{path}/invitations",
        "door": f"/groups/invitations/{token_of(CODE_KEY, link.id)}",
        "settings": f"{path}/settings",
        "follows": f"{path}/follows",
        "ownership": f"{path}/ownership",
        "offered": f"/groups/{offered.slug}/ownership",
        "log": f"{path}/log",
        "delete": f"{path}/delete",
    }
