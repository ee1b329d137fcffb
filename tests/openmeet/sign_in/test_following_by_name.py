"""A group follows an account by its handle in other apps, whether or not this site knows the account."""

from openmeet.domain.groups import followed_dids
from openmeet.domain.users.model import Caller
from tests.openmeet.groups.people import group_by
from tests.openmeet.sign_in.sign_in_site import SignInSite


async def test_an_unknown_account_is_followed_by_its_handle(site: SignInSite) -> None:
    await site.deployment.account("ana")
    await site.deployment.account("ben")
    async with site.browser() as browser:
        await site.sign_in_at_pds(browser, "ana")
        me = await site.identity("ana")
        async with site.db.transaction() as tx:
            group = await group_by(tx, Caller(me.user_id, "Ana"))
        path = f"/groups/{group.slug}/follows"
        unknown = await browser.post(path, data={"did": "nobody.town.test"})
        assert (unknown.status_code, "We found no account with this name" in unknown.text) == (400, True)
        assert (await browser.post(path, data={"did": "@Ben.town.test "})).status_code == 303
        ben = await site.network.handles.identities.identify("ben.town.test")  # type: ignore[arg-type]
        await site.deployment.pds_serving.stop()
        unreachable = await browser.post(path, data={"did": "cleo.town.test"})
        assert unreachable.status_code == 502
        assert "We found no account with this name" not in unreachable.text
    async with site.db.reader() as reader:
        assert [did for did, _ in await followed_dids.of_group(reader, group.id)] == [ben.did]
