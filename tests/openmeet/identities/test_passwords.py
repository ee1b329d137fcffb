"""Signing in with a password when the person has already granted access by OAuth."""

import pytest

from openmeet.domain.identities import queries, session_queries
from openmeet.domain.identities.model import NewSession, PdsSessionKind
from tests.openmeet.deployment import Deployment


@pytest.mark.parametrize(
    ("is_over", "at_another_server", "kept"),
    [
        (False, False, PdsSessionKind.OAUTH),
        (True, False, PdsSessionKind.PASSWORD),
        (False, True, PdsSessionKind.PASSWORD),
    ],
)
async def test_a_password_sign_in_keeps_the_oauth_grant(
    deployment: Deployment, is_over: bool, at_another_server: bool, kept: PdsSessionKind
):
    """An unexpired OAuth grant is kept. An expired one or one from another server is replaced."""
    cleo = await deployment.connected()
    async with deployment.db.transaction() as tx:
        (identity,) = await queries.of_user(tx, cleo.user_id)
        pds = "https://old.example" if at_another_server else deployment.pds_url
        await session_queries.put(tx, NewSession(identity.did, PdsSessionKind.OAUTH, pds, b"sealed", scope="atproto"))
        granted = await session_queries.find(tx, identity.did)
        assert granted is not None
        if is_over:
            await session_queries.set_needs_login(tx, granted)
    assert (await deployment.connected_as("cleo")).user_id == cleo.user_id
    async with deployment.db.reader() as reader:
        stands = await session_queries.find(reader, identity.did)
    assert stands is not None
    assert stands.kind is kept
    assert not stands.needs_login
