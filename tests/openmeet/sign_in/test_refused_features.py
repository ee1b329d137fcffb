"""A person who refuses series, groups or memberships on their server's consent page cannot publish these, and
everything else works.
"""

import re
from datetime import timedelta

import httpx
import pytest

from openmeet.domain.events import actions as events
from openmeet.domain.groups import actions as groups
from openmeet.domain.groups import publication_settings
from openmeet.domain.identities import actions
from openmeet.domain.identities.permissions import Feature, GrantState, grant_state
from openmeet.domain.series import actions as series_actions
from openmeet.domain.series.model import Timing
from openmeet.domain.users.model import Caller
from openmeet.feature_flags.flags import MAX_AGE, Flag
from openmeet.network.flag_changes import switch
from openmeet.network.publishing import schedule
from openmeet.network.repositories import agents
from openmeet.network.repositories.sessions import revoke_at_server
from openmeet.outbox import publication_status
from openmeet.outbox.publications import PublicationKind, PublicationState
from openmeet.outbox.reasons import PublicationReason, RecordStatus
from openmeet.recurrence.pattern import parse_date, pattern
from openmeet.recurrence.rule import parse_rule
from tests.interop.consent import allow
from tests.openmeet.deployment import details
from tests.openmeet.groups.people import details as group_details
from tests.openmeet.sign_in.sign_in_site import IDENTITY_PAGE, PASSWORD, SignInSite, publisher_of, where_of

OPTIONAL = (Feature.SERIES, Feature.GROUPS, Feature.MEMBERSHIPS)
REFUSED = {
    Feature.SERIES: "repo:openmeet.lexicon.series",
    Feature.GROUPS: "repo:openmeet.lexicon.group",
    Feature.MEMBERSHIPS: "repo:openmeet.lexicon.groupMembership",
}
KINDS = {
    Feature.SERIES: PublicationKind.SERIES,
    Feature.GROUPS: PublicationKind.GROUP,
    Feature.MEMBERSHIPS: PublicationKind.MEMBERSHIP,
}


async def permit(site: SignInSite, browser: httpx.AsyncClient, feature: Feature, *, without: str = "") -> None:
    did = (await site.identity("ana")).did
    asked = await browser.post(f"{IDENTITY_PAGE}/permit", data={"did": did, "feature": feature.value})
    back = await browser.get(await allow(where_of(asked), "ana.town.test", PASSWORD, without=without))
    assert back.status_code == 303


async def made_of_all(site: SignInSite, ana: Caller) -> dict[PublicationKind, list[str]]:
    """A single event, a series, a group and a membership. Returns the ids, by kind, of everything that gets a record."""
    start = parse_date("2026-03-07T18:00", "Europe/Vienna")
    timing = Timing(pattern(start, "Europe/Vienna", parse_rule("FREQ=WEEKLY;COUNT=10")), timedelta(hours=2))
    async with site.db.transaction() as tx:
        await events.create(tx, ana, details())
        await series_actions.create(tx, ana, details(description="Bring a cup.").content, timing)
        wish = group_details(country="DE", description="We meet.", sync_enabled="on")
        group = await groups.create(tx, ana, wish)
        await publication_settings.show_membership(tx, ana, group.slug, is_public=True)
    async with site.db.reader() as reader:
        rows = await reader.fetch("select kind, subject_id from publications order by kind, subject_id")
    found: dict[PublicationKind, list[str]] = {}
    for row in rows:
        found.setdefault(PublicationKind(row["kind"]), []).append(row["subject_id"])
    return found


async def states(
    site: SignInSite, made: dict[PublicationKind, list[str]]
) -> dict[PublicationKind, set[PublicationState]]:
    publisher = publisher_of(site)
    while await schedule.run_once(publisher):
        pass
    found: dict[PublicationKind, set[PublicationState]] = {}
    async with site.db.reader() as reader:
        for kind, ids in made.items():
            publications_found = (await publication_status.statuses(reader, kind, ids)).values()
            found[kind] = {one.state for one in publications_found}
            blocked = [one for one in publications_found if one.state is PublicationState.BLOCKED]
            assert all(one.reason == PublicationReason.NO_ACCESS_GRANTED() for one in blocked)
            assert all(
                one.explanation_for_owner(reader.now, is_allowed=True) == RecordStatus.NO_ACCESS_GRANTED()
                for one in blocked
            )
    return found


@pytest.mark.parametrize("refused", OPTIONAL)
async def test_a_refused_permission_disables_only_its_feature(site: SignInSite, refused: Feature):
    """The rest is written. The refused kind waits with its reason, and the page offers to request it again. After it is
    allowed, it is sent without further action.
    """
    for flag in (Flag.SERIES_LEXICON, Flag.GROUPS, Flag.MEMBERSHIPS):
        async with site.db.transaction() as tx:
            await switch(tx, flag, is_on=True, changed_by="a test")
    site.deployment.clock.turn(MAX_AGE)
    await site.deployment.account("ana")
    async with site.browser() as browser:
        await site.sign_in_at_pds(browser, "ana")
        identity = await site.identity("ana")
        async with site.db.transaction() as tx:
            await actions.grant_consent(tx, identity.user_id, handle="ana.town.test")
        await permit(site, browser, refused, without=REFUSED[refused])
        for feature in OPTIONAL:
            if feature is not refused:
                await permit(site, browser, feature)
        made = await made_of_all(site, Caller(identity.user_id, "Ana"))
        found = await states(site, made)
        expected = {PublicationKind.EVENT: PublicationState.PUBLISHED} | {
            KINDS[feature]: PublicationState.BLOCKED if feature is refused else PublicationState.PUBLISHED
            for feature in OPTIONAL
        }
        if refused is Feature.GROUPS:
            # the group's record that it would name does not exist
            expected[PublicationKind.MEMBERSHIP] = PublicationState.WAITING
        assert {kind: found[kind] & {expected[kind]} for kind in expected} == {
            kind: {state} for kind, state in expected.items()
        }
        assert PublicationState.BLOCKED not in found[PublicationKind.EVENT]
        others = [kind for kind in expected if kind is not KINDS[refused]]
        assert all(PublicationState.BLOCKED not in found[kind] for kind in others)
        page = (await browser.get(IDENTITY_PAGE)).text
        offered = re.findall(r'name="feature" value="(\w+)"', page)
        assert refused.value in offered
        await permit(site, browser, refused)
        after = await states(site, made)
        wanted = {PublicationKind.EVENT, *KINDS.values()}
        assert {kind for kind in wanted if PublicationState.PUBLISHED in after[kind]} == wanted
        assert all(PublicationState.BLOCKED not in some for some in after.values())


async def test_signing_in_by_server_url_removes_no_permission(site_on_each: SignInSite):
    """With the server's URL the account is known only after the sign-in. Fewer permissions were requested, but none was
    refused.
    """
    site = site_on_each
    await site.deployment.account("ana")
    async with site.browser() as browser:
        await site.sign_in_at_pds(browser, "ana")
        await permit(site, browser, Feature.SERIES)
        await permit(site, browser, Feature.GROUPS, without=REFUSED[Feature.GROUPS])
    async with site.browser() as browser:
        back = await site.sign_in_at_pds(browser, "ana", typed=site.deployment.pds_url)
        assert back.status_code == 303
        assert (await browser.get(IDENTITY_PAGE)).status_code == 200, "signed in nevertheless"
    kept = await site.stored("ana")
    assert [grant_state(kept, feature) for feature in OPTIONAL] == [
        GrantState.GRANTED,
        GrantState.REFUSED,
        GrantState.NOT_ASKED,
    ]
    client = await agents.agent_for(site.db, site.network, await site.identity("ana"))
    assert (await client.query("com.atproto.server.getSession"))["did"] == kept.did


async def test_a_permission_of_an_ended_session_does_not_count_as_refused(site_on_each: SignInSite):
    """The server ended the session that had more permissions, and the person signed in again by the server's URL. The
    permission is requested when it is needed.
    """
    site = site_on_each
    await site.deployment.account("ana")
    async with site.browser() as browser:
        await site.sign_in_at_pds(browser, "ana")
        await permit(site, browser, Feature.SERIES)
        await permit(site, browser, Feature.GROUPS, without=REFUSED[Feature.GROUPS])
        # The server ended it without notifying the site.
        before = await site.stored("ana")
        await revoke_at_server(site.db, site.network, before)
        await site.sign_in_at_pds(browser, "ana", typed=site.deployment.pds_url)
    after = await site.stored("ana")
    assert (after.needs_login, after.sealed == before.sealed) == (False, False)
    assert [grant_state(after, feature) for feature in Feature] == [
        GrantState.GRANTED,
        GrantState.NOT_ASKED,
        GrantState.REFUSED,
        GrantState.NOT_ASKED,
    ]
