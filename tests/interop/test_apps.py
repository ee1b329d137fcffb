"""The official client as an app on the Bluesky network uses it, with an app view that lags half a minute."""

from pathlib import Path

import pytest

from groundwork.clock import SystemClock
from tests.aurora_locus.deployment import open_deployment
from tests.databases import MakeDatabase
from tests.external_dependencies import needs
from tests.interop.conftest import json_lines, node
from tests.simulation.late_app_view import open_late_app_view

pytestmark = [needs("node"), pytest.mark.usefixtures("node_modules")]


async def test_people_see_what_they_wrote_at_once(make_sqlite: MakeDatabase, tmp_path: Path) -> None:
    """People see what they wrote at once. Preferences stay on this server; posts, replies and the profile are shown
    although the app view has not read them.
    """
    clock = SystemClock()
    async with open_late_app_view(clock, lag_seconds=30) as view:
        plc = await make_sqlite("plc_directory", clock=clock)
        database = f"sqlite://{tmp_path / 'pds.db'}"
        settings = {"bsky_app_view_url": view.url, "bsky_app_view_did": view.did}
        async with open_deployment(database, plc, clock, tmp_path, **settings) as deployment:
            view.pds_url = deployment.url
            ana = await deployment.sign_up("ana")
            (told,) = json_lines(await node("reading.mjs", deployment.url, "ana.test", "password of ana"))
            assert await view._posts(ana.did) == []
    assert set(view.callers) == {ana.did}
    assert told["adult"] == [False, True]
    assert told["savedFeeds"][-1].endswith("/app.bsky.feed.generator/art")
    assert told["feed"] == ["answer", "first"]
    assert told["lag"] >= 0
    assert told["timeline"] == [["Ana the first", "answer"], ["Ana the first", "first"]]
    assert (told["profile"], told["followers"]) == ("Ana the first", 7)
    assert told["thread"] == ["first", "answer"]
    assert told["liked"] is True
    assert told["chat"] == "InvalidRequest"
