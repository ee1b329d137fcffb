"""Joining, leaving and managing groups; on both engines."""

import asyncio

import pytest

from groundwork.clock import DAY
from groundwork.errors import Forbidden, InvalidForm, NotFound, PreconditionFailed, Refused, TooMany
from groundwork.signing_key import SigningKey
from openmeet.domain.attendance import group_hosting
from openmeet.domain.groups import (
    actions,
    administration,
    audit_log,
    followed_dids,
    invitation_queries,
    membership_queries,
    queries,
)
from openmeet.domain.groups.model import INVITATION_MAIL, MAX_MAILS_A_DAY, GroupLogAction, GroupRole
from openmeet.domain.groups.rules import invitation_in
from openmeet.emails.groups import invitation_composer
from openmeet.outbox.emails import DueEmail
from tests.openmeet.groups.people import add_member, details, group_by, membership_of, role_of
from tests.openmeet.site_under_test import person

KEY = SigningKey(b"k" * 32)
DID = "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa"


@pytest.fixture
async def db(make_database):
    return await make_database("openmeet")


async def club(db, **typed: str):
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
        return ana, await group_by(tx, ana, **typed)


async def someone(db, group, owner, name, wanted=GroupRole.MEMBER):
    async with db.transaction() as tx:
        return await add_member(tx, group, owner, name, wanted)


async def stranger(db, name="Ben"):
    async with db.transaction() as tx:
        return await person(tx, name)


async def acts(db, group):
    async with db.reader() as reader:
        return [line.act for line in reversed(await audit_log.entries(reader, group.id, limit=50))]


async def test_the_creator_owns_the_group(db):
    ana, group = await club(db)
    async with db.reader() as reader:
        assert await role_of(reader, group, ana) is GroupRole.OWNER
        assert (await queries.by_slug(reader, group.slug)) == group
    assert await acts(db, group) == [GroupLogAction.CREATED]


async def test_one_form_creates_one_group(db):
    ana = await stranger(db, "Ana")
    async with db.transaction() as tx:
        first = await actions.create(tx, ana, details(), submission_key="k")
        assert await actions.create(tx, ana, details(), submission_key="k") == first
    with pytest.raises(actions.GroupAlreadyCreated):
        async with db.transaction() as tx:
            await actions.create(tx, ana, details(name="Go club"), submission_key="k")


async def test_a_repeated_form_does_not_undo_an_edit(db):
    ana = await stranger(db, "Ana")
    async with db.transaction() as tx:
        first = await actions.create(tx, ana, details(), submission_key="k")
        edited = await group_hosting.revise(tx, ana, first.slug, details(name="Go club"))
        assert await actions.create(tx, ana, details(), submission_key="k") == edited
        with pytest.raises(actions.GroupAlreadyCreated):
            await actions.create(tx, ana, details(name="Go club"), submission_key="k")


async def test_joining_from_many_tabs_is_one_membership(db):
    """Six simultaneous joins by one person make one membership row and one log entry."""
    _, group = await club(db)
    ben = await stranger(db)

    async def join():
        async with db.transaction() as tx:
            return await actions.join(tx, ben, group.slug)

    found = await asyncio.gather(*(join() for _ in range(6)))
    assert {one.role for one in found} == {GroupRole.MEMBER}
    assert len({one.id for one in found}) == 1
    assert await acts(db, group) == [GroupLogAction.CREATED, GroupLogAction.JOINED]


async def test_a_request_waits_and_the_log_says_who_approved(db):
    ana, group = await club(db, join_policy="request", join_question="Why us?")
    ben = await stranger(db)
    with pytest.raises(InvalidForm):
        async with db.transaction() as tx:
            await actions.join(tx, ben, group.slug)
    async with db.transaction() as tx:
        asked = await actions.join(tx, ben, group.slug, "I play.")
        assert (asked.role, asked.answer, asked.requested_at) == (GroupRole.PENDING, "I play.", tx.now)
        await administration.decide(tx, ana, group.slug, [ben.user_id], lets_in=True)
        let_in = await membership_of(tx, group, ben)
    assert (let_in.role, let_in.decided_by) == (GroupRole.MEMBER, ana.user_id)
    assert await acts(db, group) == [GroupLogAction.CREATED, GroupLogAction.ASKED, GroupLogAction.APPROVED]


async def test_a_bulk_decision_affects_only_requests(db):
    """A bulk decision skips people who no longer have a request."""
    ana, group = await club(db, join_policy="request")
    people = [await stranger(db, name) for name in ("Ben", "Cleo", "Dan")]
    async with db.transaction() as tx:
        for one in people:
            await actions.join(tx, one, group.slug)
        await actions.leave(tx, people[2], group.slug)
        decided = await administration.decide(tx, ana, group.slug, [one.user_id for one in people], lets_in=False)
        assert [one.role for one in decided] == [GroupRole.DECLINED, GroupRole.DECLINED]
        assert await role_of(tx, group, people[2]) is GroupRole.LEFT


async def test_members_cannot_decide(db):
    ana, group = await club(db, join_policy="request")
    ben = await someone(db, group, ana, "Ben")
    with pytest.raises(Forbidden):
        async with db.transaction() as tx:
            await administration.decide(tx, ben, group.slug, [ben.user_id], lets_in=True)


async def test_nobody_is_a_member_before_accepting(db):
    ana, group = await club(db, join_policy="invite", visibility="private")
    ben = await stranger(db)
    async with db.transaction() as tx:
        link = await administration.invite_by_link(tx, ana, group.slug, uses=1)
        assert await role_of(tx, group, ben) is None
        await administration.accept(tx, ben, link.id)
        assert await role_of(tx, group, ben) is GroupRole.MEMBER
        # Opening the link again does not count as a second use and changes no role.
        await administration.accept(tx, ben, link.id)
        await administration.accept(tx, ana, link.id)
        assert await role_of(tx, group, ana) is GroupRole.OWNER


async def test_the_last_use_of_a_link_goes_to_one_of_many(db):
    ana, group = await club(db)
    people = [await stranger(db, name) for name in ("Ben", "Cleo", "Dan", "Eve")]
    async with db.transaction() as tx:
        link = await administration.invite_by_link(tx, ana, group.slug, uses=2)

    async def accept(who):
        try:
            async with db.transaction() as tx:
                await administration.accept(tx, who, link.id)
        except NotFound:
            return False
        return True

    assert sum(await asyncio.gather(*map(accept, people))) == 2


@pytest.mark.parametrize("how", ["over", "revoked", "deleted"])
async def test_an_invitation_expires(db, clock, how):
    ana, group = await club(db)
    ben = await stranger(db)
    async with db.transaction() as tx:
        link = await administration.invite_by_link(tx, ana, group.slug)
        if how == "revoked":
            await administration.revoke(tx, ana, group.slug, link.id)
        if how == "deleted":
            await actions.delete(tx, ana, group.slug)
    if how == "over":
        clock.turn(14 * DAY)
    with pytest.raises(NotFound):
        async with db.transaction() as tx:
            await administration.accept(tx, ben, link.id)


async def test_an_invitation_by_mail_is_enqueued_and_carries_a_link_that_works(db):
    ana, group = await club(db)
    async with db.transaction() as tx:
        mails = await administration.invite_by_mail(tx, KEY, ana, group.slug, "Ben <ben@example.org>, BEN@example.org")
        assert mails.fresh == ("ben@example.org",)
        (invitation,) = await invitation_queries.open_invitations(tx, group.id)
        queued = await tx.fetch("select subject from outbox_jobs where kind = 'mail' order by subject")
    assert [row["subject"].split("\x1f")[0] for row in queued] == [INVITATION_MAIL]
    due = DueEmail(INVITATION_MAIL, invitation.id, invitation.id, 1)
    compose = invitation_composer(KEY, "Town", "https://town.example")
    letter = await compose(db, due)
    token = letter.text.split("/groups/invitations/")[1].split()[0]
    assert (letter.to, invitation_in(KEY, token)) == ("ben@example.org", invitation.id)
    async with db.transaction() as tx:
        await administration.revoke(tx, ana, group.slug, invitation.id)
    assert await compose(db, due) is None


async def test_invitation_e_mails_are_limited(db):
    ana, group = await club(db)
    async with db.transaction() as tx:
        many = " ".join(f"p{number}@example.org" for number in range(MAX_MAILS_A_DAY))
        await administration.invite_by_mail(tx, KEY, ana, group.slug, many)
    with pytest.raises(TooMany):
        async with db.transaction() as tx:
            await administration.invite_by_mail(tx, KEY, ana, group.slug, "more@example.org")


async def test_an_address_gets_one_e_mail_and_none_after_declining(db, clock):
    """Repeating the address sends no second e-mail, and a person who declined gets none, even after the first
    invitation expires.
    """
    ana, group = await club(db)
    async with db.transaction() as tx:
        await administration.invite_by_mail(tx, KEY, ana, group.slug, "ben@example.org; cleo@example.org")
        letters = {one.email: one for one in await invitation_queries.open_invitations(tx, group.id)}
        again = await administration.invite_by_mail(tx, KEY, ana, group.slug, "ben@example.org dan@example.org")
        assert (again.fresh, again.already_invited) == (("dan@example.org",), ("ben@example.org",))
        await administration.decline(tx, KEY, letters["ben@example.org"].id)
        await administration.revoke(tx, ana, group.slug, letters["cleo@example.org"].id)
    for over in letters.values():
        with pytest.raises(NotFound):
            async with db.transaction() as tx:
                await administration.decline(tx, KEY, over.id)
    clock.turn(15 * DAY)
    async with db.transaction() as tx:
        later = await administration.preview_invitations(tx, KEY, group, "ben@example.org cleo@example.org nonsense@ @")
    assert (later.fresh, later.already_invited, later.malformed) == (
        ("cleo@example.org",),
        ("ben@example.org",),
        ("nonsense@", "@"),
    )


async def test_members_get_no_invitation_e_mail_and_the_host_does_not_notice(db):
    """No e-mail is written. The preview is the same as for an unknown address."""
    ana, group = await club(db)
    await someone(db, group, ana, "Ben")
    async with db.transaction() as tx:
        assert (await administration.invite_by_mail(tx, KEY, ana, group.slug, "ben@example.org")).fresh == (
            "ben@example.org",
        )
        (invitation,) = await invitation_queries.open_invitations(tx, group.id)
    due = DueEmail(INVITATION_MAIL, invitation.id, invitation.id, 1)
    assert await invitation_composer(KEY, "Town", "https://town.example")(db, due) is None


async def test_a_link_expires_at_its_time(db, clock):
    ana, group = await club(db)
    ben = await stranger(db)
    async with db.transaction() as tx:
        link = await administration.invite_by_link(tx, ana, group.slug, uses=3, days=2)
        assert (link.uses, link.uses_left, link.expires_at) == (3, 3, tx.now + 2 * DAY)
        with pytest.raises(NotFound):
            # A link has no addressee, so nobody can decline it for everyone else.
            await administration.decline(tx, KEY, link.id)
    clock.turn(2 * DAY)
    with pytest.raises(NotFound):
        async with db.transaction() as tx:
            await administration.accept(tx, ben, link.id)


@pytest.mark.parametrize("end", ["demoted", "removed", "banned", "left"])
async def test_links_end_with_the_right_to_invite(db, end):
    """Those of other people continue to work, and so do links of moderators who become admins."""
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
        group = await group_by(tx, ana, visibility="private")
        ben = await add_member(tx, group, ana, "Ben", GroupRole.MODERATOR)
        links = [await administration.invite_by_link(tx, who, group.slug) for who in (ana, ben)]
        await administration.change_role(tx, ana, group.slug, ben.user_id, GroupRole.ADMIN)
        for name, link in zip(("Cleo", "Dora"), links, strict=True):
            await administration.accept(tx, await person(tx, name), link.id)
        match end:
            case "demoted":
                await administration.change_role(tx, ana, group.slug, ben.user_id, GroupRole.MEMBER)
            case "removed":
                await administration.remove(tx, ana, group.slug, ben.user_id)
            case "banned":
                await administration.ban(tx, ana, group.slug, ben.user_id)
            case "left":
                await actions.leave(tx, ben, group.slug)
        await administration.accept(tx, await person(tx, "Emil"), links[0].id)
        with pytest.raises(NotFound):
            await administration.accept(tx, await person(tx, "Fay"), links[1].id)


async def test_banned_people_stay_out_until_the_ban_is_lifted(db):
    ana, group = await club(db)
    ben = await someone(db, group, ana, "Ben")
    async with db.transaction() as tx:
        await administration.ban(tx, ana, group.slug, ben.user_id)
        link = await administration.invite_by_link(tx, ana, group.slug)
    for knock in (lambda tx: actions.join(tx, ben, group.slug), lambda tx: administration.accept(tx, ben, link.id)):
        with pytest.raises(Refused):
            async with db.transaction() as tx:
                await knock(tx)
    async with db.transaction() as tx:
        await administration.unban(tx, ana, group.slug, ben.user_id)
        assert (await actions.join(tx, ben, group.slug)).role is GroupRole.MEMBER


async def test_only_people_who_have_to_do_with_the_group_can_be_banned(db):
    """The list of banned people shows names, so it would tell the name of anybody whose id is known."""
    ana, group = await club(db)
    ben = await stranger(db)
    with pytest.raises(NotFound):
        async with db.transaction() as tx:
            await administration.ban(tx, ana, group.slug, ben.user_id)
    async with db.transaction() as tx:
        await actions.follow(tx, ben, group.slug)
        assert (await administration.ban(tx, ana, group.slug, ben.user_id)).role is GroupRole.BANNED


async def test_admins_cannot_change_other_admins(db):
    ana, group = await club(db)
    ben = await someone(db, group, ana, "Ben", GroupRole.ADMIN)
    cleo = await someone(db, group, ana, "Cleo", GroupRole.ADMIN)
    for act in (
        lambda tx: administration.remove(tx, ben, group.slug, cleo.user_id),
        lambda tx: administration.ban(tx, ben, group.slug, ana.user_id),
        lambda tx: administration.change_role(tx, ben, group.slug, cleo.user_id, GroupRole.MEMBER),
    ):
        with pytest.raises(Forbidden):
            async with db.transaction() as tx:
                await act(tx)


async def test_renaming_changes_the_slug_and_redirects_the_old_one(db):
    ana, group = await club(db)
    async with db.transaction() as tx:
        _, after = await actions.edit(tx, ana, group.slug, details(name="Go club"), expected_revision=1)
        assert after.slug != group.slug
        assert (await queries.by_slug(tx, group.slug)) == after
    with pytest.raises(PreconditionFailed):
        async with db.transaction() as tx:
            await actions.edit(tx, ana, after.slug, details(name="Other"), expected_revision=1)


@pytest.mark.parametrize("length", [5, 8, 10])
async def test_old_slugs_stay_until_the_name_changes(db, length):
    """Earlier versions made shorter URLs. A hidden group keeps its random URL until its name changes."""
    ana, group = await club(db, visibility="unlisted")
    slug = f"chess-club-{'abcdefghjk'[:length]}"
    async with db.transaction() as tx:
        await tx.execute("update groups set slug = :slug where id = :id", slug=slug, id=group.id)
        _, same = await actions.edit(tx, ana, slug, details(visibility="unlisted", description="On Mondays."))
        assert same.slug == slug
        _, other = await actions.edit(tx, ana, slug, details(visibility="unlisted", name="Go club"))
        assert other.slug.startswith("go-club-")


async def test_a_chosen_slug_that_ends_in_ten_letters_stays(db):
    ana, group = await club(db)
    async with db.transaction() as tx:
        chosen = await actions.choose_address(tx, ana, group.slug, "games-department")
        assert (await actions.edit(tx, ana, chosen.slug, details(name="Go club")))[1].slug == "games-department"
        with pytest.raises(InvalidForm):
            await actions.choose_address(tx, ana, chosen.slug, "go-club-department")


async def test_private_groups_are_absent_for_strangers(db):
    ana, group = await club(db, visibility="private")
    ben = await stranger(db)
    for act in (
        lambda tx: actions.visible(tx, group.slug, ben.user_id),
        lambda tx: actions.visible(tx, group.slug, None),
        lambda tx: actions.join(tx, ben, group.slug),
        lambda tx: administration.decide(tx, ben, group.slug, [], lets_in=True),
    ):
        with pytest.raises(NotFound):
            async with db.transaction() as tx:
                await act(tx)
    async with db.reader() as reader:
        assert await membership_queries.listed(reader, [], ben.user_id, after=None, limit=10) == []
        assert [one.role for one in await membership_queries.of_user(reader, ana.user_id, limit=10)] == [
            GroupRole.OWNER
        ]


async def test_lists_count_members_and_find_words(db):
    ana, group = await club(db)
    await someone(db, group, ana, "Ben")
    async with db.transaction() as tx:
        await group_by(tx, ana, name="Zither players")
    async with db.reader() as reader:
        found = await membership_queries.listed(reader, ["chess"], ana.user_id, after=None, limit=10)
        assert [(one.group.slug, one.members, one.role) for one in found] == [(group.slug, 2, GroupRole.OWNER)]
        (first, second) = await membership_queries.listed(reader, [], None, after=None, limit=10)
        after = (queries.search_text(first.group.details), first.group.id)
        assert await membership_queries.listed(reader, [], None, after=after, limit=10) == [second]


async def test_followed_accounts(db):
    ana, group = await club(db)
    did = "did:plc:4hodhjl2kposuchzvpiviwps"
    async with db.transaction() as tx:
        await followed_dids.follow(tx, ana, group.slug, did)
        await followed_dids.follow(tx, ana, group.slug, did)
        assert [one for one, _ in await followed_dids.of_group(tx, group.id)] == [did]
        await followed_dids.unfollow(tx, ana, group.slug, did)
        assert await followed_dids.of_group(tx, group.id) == []
    with pytest.raises(InvalidForm):
        async with db.transaction() as tx:
            await followed_dids.follow(tx, ana, group.slug, "not a did")


async def test_only_public_groups_choose_a_slug_and_none_is_reused(db):
    """Old URLs redirect and are never reused. A hidden group gets a random URL."""
    ana, group = await club(db)
    async with db.transaction() as tx:
        chosen = await actions.choose_address(tx, ana, group.slug, "Chess-Club")
        assert chosen.slug == "chess-club"
        assert (await queries.by_slug(tx, group.slug)) == chosen
        renamed = (await actions.edit(tx, ana, chosen.slug, details(name="Go club")))[1]
        assert renamed.slug == "chess-club"
        other = await group_by(tx, ana, name="Other")
        await actions.choose_address(tx, ana, "chess-club", "go-club")
    for taken in ("chess-club", "go-club", "new", "a", "-x-", "caf\u00e9", "go-club-abcde"):
        with pytest.raises(InvalidForm):
            async with db.transaction() as tx:
                await actions.choose_address(tx, ana, other.slug, taken)
    async with db.transaction() as tx:
        hidden = (await actions.edit(tx, ana, "go-club", details(name="Go club", visibility="unlisted")))[1]
        assert hidden.slug.startswith("go-club-")
        with pytest.raises(Refused):
            await actions.choose_address(tx, ana, hidden.slug, "go-players")


async def test_the_log_has_every_action_and_no_address(db):
    ana, group = await club(db)
    async with db.transaction() as tx:
        await actions.edit(tx, ana, group.slug, details(name="Go club"))
        link = await administration.invite_by_link(tx, ana, group.slug)
        await administration.revoke(tx, ana, group.slug, link.id)
        await administration.invite_by_mail(tx, KEY, ana, group.slug, "ben@example.org cleo@example.org")
        await followed_dids.follow(tx, ana, group.slug, DID)
        await followed_dids.unfollow(tx, ana, group.slug, DID)
        await followed_dids.unfollow(tx, ana, group.slug, DID)
        lines = await audit_log.entries(tx, group.id, limit=50)
        older = await audit_log.entries(tx, group.id, limit=2, before=lines[1].id)
    assert [(line.act, line.note) for line in reversed(lines)] == [
        (GroupLogAction.CREATED, ""),
        (GroupLogAction.EDITED, ""),
        (GroupLogAction.LINK_MADE, ""),
        (GroupLogAction.INVITATION_REVOKED, ""),
        (GroupLogAction.INVITED, "2"),
        (GroupLogAction.DID_FOLLOWED, DID),
        (GroupLogAction.DID_UNFOLLOWED, DID),
    ]
    assert older == lines[2:4]


async def test_following_a_did_enqueues_a_read(db):
    """A read of an unknown DID's repository is enqueued. An invalid DID is refused at the field."""
    ana, group = await club(db)
    async with db.transaction() as tx:
        await followed_dids.follow(tx, ana, group.slug, f" {DID} ")
        await followed_dids.follow(tx, ana, group.slug, DID)
        queued = await tx.fetch("select kind, subject from outbox_jobs where kind = 'backfill' order by kind")
        assert [row["subject"] for row in queued] == [DID]
        assert [one for one, _ in await followed_dids.of_group(tx, group.id)] == [DID]
    for wrong in ("ana.example", "did:key:zabc", ""):
        with pytest.raises(InvalidForm):
            async with db.transaction() as tx:
                await followed_dids.follow(tx, ana, group.slug, wrong)
