"""People whose handle no longer leads to their account sign in with their DID."""

from dataclasses import replace

import pytest

from at_network.handle_resolver import HandleResolver, HandleSettings
from at_network.xrpc_client import XrpcClient
from openmeet.domain.identities.queries import find, shown_names
from openmeet.network.repositories.sign_in import sign_in_with_password
from tests.openmeet.deployment import Deployment
from tests.openmeet.sign_in.sign_in_site import PASSWORD


@pytest.mark.parametrize("servers", [(), ("http://127.0.0.1:1",)])
async def test_a_handle_that_does_not_resolve_is_nobodys_name(deployment: Deployment, servers: tuple[str, ...]) -> None:
    """The person is shown by their DID, and not as ``handle.invalid`` like everybody else with a broken handle. The same
    holds while the server that resolves the handle is down.
    """
    await deployment.account("ana")
    network = deployment.network
    pds = XrpcClient(network.http, deployment.clock, deployment.pds_url)
    did = (await pds.query("com.atproto.identity.resolveHandle", {"handle": "ana.town.test"}))["did"]
    settings = HandleSettings(is_development=True, through_pds=servers)
    handles = HandleResolver(network.http, network.dids, deployment.clock, settings)
    signed_in = await sign_in_with_password(
        deployment.db, replace(network, handles=handles), identifier=str(did), password=PASSWORD
    )
    async with deployment.db.reader() as reader:
        identity = await find(reader, str(did))
        names = await shown_names(reader, [signed_in.user_id])
    assert identity is not None
    assert (identity.handle, names) == ("", {signed_in.user_id: did})
    await handles.close()
