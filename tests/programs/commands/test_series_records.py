"""``openmeet series publish`` against a real PDS: the record appears, and the published date refers to it."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

from tests.interop.conftest import Account, Network, network
from tests.polling import until
from tests.programs.commands.servers import environment_of, openmeet
from tests.programs.platforms import open_platform, read_platform_settings

from groundwork.clock import DAY, SystemClock, to_datetime
from openmeet.domain.events.content import Content
from openmeet.domain.identities import actions as identities
from openmeet.domain.series import actions
from openmeet.domain.series.model import Series, Timing
from openmeet.domain.users.model import Caller
from openmeet.feature_flags.flags import Flag
from openmeet.network.flag_changes import switch
from openmeet.network.publishing import schedule
from openmeet.network.repositories.sign_in import sign_in_with_password
from openmeet.recurrence.pattern import pattern
from openmeet.recurrence.rule import parse_rule
from programs.outbox_dispatcher import publishing_dependencies
from programs.platform import Platform

__all__ = ["network"]

EVENT, SERIES = "community.lexicon.calendar.event", "openmeet.lexicon.series"


async def records(network: Network, account: Account, collection: str) -> dict[str, Any]:
    listed = await network.read("com.atproto.repo.listRecords", repo=account.did, collection=collection)
    return {one["uri"]: one["value"] for one in json.loads(listed)["records"]}


async def begin(platform: Platform, account: Account) -> Series:
    """Somebody with a PDS account consents to publishing and creates a series that starts tomorrow."""
    user_id = (
        await sign_in_with_password(platform.db, platform.network, identifier=account.handle, password=account.password)
    ).user_id
    tomorrow = to_datetime(SystemClock().now() + DAY).replace(tzinfo=None, hour=18, minute=0, second=0, microsecond=0)
    timing = Timing(pattern(tomorrow, "Europe/Vienna", parse_rule("FREQ=WEEKLY;COUNT=10")), timedelta(hours=2))
    async with platform.db.transaction() as tx:
        await identities.grant_consent(tx, user_id, handle=account.handle)
        return await actions.create(tx, Caller(user_id, "Ana"), Content("Tea in the park"), timing)


async def deliver_publications(platform: Platform) -> None:
    while await schedule.run_once(publishing_dependencies(platform)):
        pass


async def test_every_series_gets_its_record(network: Network, tmp_path: Path) -> None:
    account = await network.sign_up("series-host")
    environment = environment_of(network, tmp_path)
    async with open_platform(read_platform_settings(None, environment), SystemClock()) as platform:
        await begin(platform, account)
        await deliver_publications(platform)
        ((uri, before),) = (await records(network, account, EVENT)).items()
        refused = await openmeet(environment, "series", "publish")
        assert (refused.status, refused.said) == (1, "")
        assert "openmeet flags on series-lexicon" in refused.complained
        async with platform.db.transaction() as tx:
            await switch(tx, Flag.SERIES_LEXICON, is_on=True, changed_by="a test")
    # New processes read the flags again.
    async with open_platform(read_platform_settings(None, environment), SystemClock()) as platform:
        done = await openmeet(environment, "series", "publish")
        assert (done.status, done.said) == (0, "1 series checked; the publisher writes what differs.\n")
        after = {}

        async def is_linked() -> bool:
            """The scheduler retries a postponed date after a time."""
            await deliver_publications(platform)
            ((same, record),) = (await records(network, account, EVENT)).items()
            assert same == uri
            after.update(record)
            return "series" in record.get("openmeet.lexicon.seriesLink", {})

        await until(is_linked)
        ((series_uri, record),) = (await records(network, account, SERIES)).items()
        assert (record["name"], record["rrule"]) == ("Tea in the park", ["FREQ=WEEKLY;COUNT=10"])
        assert "openmeet.lexicon.seriesLink" not in before or "series" not in before["openmeet.lexicon.seriesLink"]
        assert after["openmeet.lexicon.seriesLink"]["series"] == {"uri": series_uri}
