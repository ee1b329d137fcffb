"""Accounts on another server, a person's second account on the PDS, and moving records to it."""

from at_protocol.syntax.did import Did
from openmeet.domain.identities import actions as identities
from openmeet.domain.identities import queries as identity_queries
from openmeet.domain.series import move_records
from openmeet.domain.users.model import Caller
from openmeet.network.repositories.sign_in import sign_in_with_password
from openmeet.outbox.publications import PublicationKind
from tests.openmeet.deployment import Deployment, deliver_all_publications
from tests.simulation.proxy import LossyProxy


async def connect_second_account(deployment: Deployment, who: Caller, name: str = "office") -> Did:
    """Connect a second account of the same person, which gets new records from then on."""
    await deployment.account(name)
    other = (
        await sign_in_with_password(
            deployment.db, deployment.network, identifier=f"{name}.town.test", password="a long password"
        )
    ).user_id
    async with deployment.db.transaction() as tx:
        (identity,) = await identity_queries.of_user(tx, other)
        await tx.execute("update identities set user_id = :to where did = :did", to=who.user_id, did=identity.did)
        await identities.make_default(tx, who.user_id, identity.did)
    return identity.did


async def move_records_from(deployment: Deployment, who: Caller, source: Did) -> int:
    number = 0
    for kind in (PublicationKind.SERIES, PublicationKind.EVENT):
        after: str | None = ""
        while after is not None:
            async with deployment.db.transaction() as tx:
                moved = await move_records.move_some(tx, who.user_id, source, kind, after)
            number, after = number + moved.number, moved.after
    await deliver_all_publications(deployment)
    return number


async def living_at(deployment: Deployment, proxy: LossyProxy, *names: str) -> list[Caller]:
    """People whose accounts are on the server with this URL."""
    people = [await deployment.connected(name) for name in names]
    async with deployment.db.transaction() as tx:
        for person in people:
            at = {"url": proxy.url, "user_id": person.user_id}
            await tx.execute("update identities set pds_url = :url where user_id = :user_id", **at)
            await tx.execute(
                "update repository_sessions set pds_url = :url"
                " where did in (select did from identities where user_id = :user_id)",
                **at,
            )
    return people
