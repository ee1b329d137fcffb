"""A weekly series of Ana's in the small network, and its records."""

from datetime import datetime, timedelta

from at_network.xrpc_client import XrpcClient
from openmeet.domain.events.model import GroupOfEvent
from openmeet.domain.series import actions, record_settings
from openmeet.domain.series.model import PublishPolicy, Series, Timing
from openmeet.domain.users.model import Caller
from openmeet.recurrence.pattern import pattern
from openmeet.recurrence.rule import parse_rule
from tests.openmeet.deployment import Deployment, deliver_all_publications, details, records_listed

VIENNA = "Europe/Vienna"
# Ten Saturdays from 7 March at 18:00. The clock is set to 1 March.
SATURDAYS = [datetime(2026, 3, 7, 18) + timedelta(days=7 * number) for number in range(10)]  # noqa: DTZ001  # wall time
WEEKLY_RULE = "FREQ=WEEKLY;COUNT=10"


async def create_series(deployment: Deployment, **typed: str) -> tuple[Caller, Series]:
    """Ana and her series, which has not been published yet."""
    ana = await deployment.person("Ana")
    return ana, await create_series_by(deployment, ana, **typed)


async def create_series_by(
    deployment: Deployment, host: Caller, group: GroupOfEvent | None = None, **typed: str
) -> Series:
    """A series, which has not been published yet."""
    timing = Timing(pattern(SATURDAYS[0], VIENNA, parse_rule(WEEKLY_RULE)), timedelta(hours=2))
    async with deployment.db.transaction() as tx:
        return await actions.create(tx, host, details(**typed).content, timing, group=group)


async def change_publish_policy(deployment: Deployment, ana: Caller, series: Series, policy: PublishPolicy) -> None:
    async with deployment.db.transaction() as tx:
        await record_settings.change_series(tx, ana, series.slug, None, policy)
    await deliver_all_publications(deployment)


async def publish_series(deployment: Deployment) -> tuple[Caller, Series]:
    """Ana and her series, which has been published."""
    ana, series = await create_series(deployment, description="Bring a cup.")
    await deliver_all_publications(deployment)
    return ana, series


async def records_with_cids_of(deployment: Deployment, who: Caller, collection: str) -> dict[str, dict]:
    did = (await deployment.identity(who.user_id)).did
    client = XrpcClient(deployment.network.http, deployment.clock, deployment.pds_url)
    answer = await client.query("com.atproto.repo.listRecords", {"repo": did, "collection": collection})
    return {one["uri"]: dict(one["value"], cid=one["cid"]) for one in records_listed(answer)}
