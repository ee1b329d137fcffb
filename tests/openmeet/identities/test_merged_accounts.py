"""After an account merge the site can still sign in to the custodial repository."""

from dataclasses import replace

from groundwork.database.resealing import reseal
from groundwork.sealing import Sealer
from openmeet.domain.account_merge import reassignments
from openmeet.domain.identities import queries, session_queries
from openmeet.domain.users import actions as users
from openmeet.network.repositories import sessions
from programs.resealing import sealed_columns
from tests.openmeet.deployment import Deployment


async def test_a_custodial_repository_opens_after_a_merge_under_any_sealing_key(deployment: Deployment):
    """The password was sealed for the merged user and is sealed again for the remaining one."""
    ana = await deployment.person("Ana")
    async with deployment.db.transaction() as tx:
        other = await users.create_person(tx, display_name="Ana at work", email="work@example.org")
        await reassignments.reassign_identities(tx, ana.user_id, other)
        identity = (await queries.of_user(tx, other))[0]
        await session_queries.delete(tx, identity.did)
    columns = [one for one in sealed_columns(deployment.network.tenant) if one.table == "custodial_accounts"]
    rotated = Sealer([b"n" * 32, bytes(32)])
    assert await reseal(deployment.db, rotated, columns) == (1, 1)
    alone = replace(deployment.network, sealer=Sealer([b"n" * 32]))
    session = await sessions.open_session(deployment.db, alone, identity)
    assert (session.stored.did, identity.user_id) == (identity.did, other)
