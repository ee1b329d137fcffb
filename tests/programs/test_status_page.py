"""The status page of a running site says when nothing can be saved."""

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import httpx

from groundwork.clock import SystemClock
from groundwork.telemetry.metrics import Metrics
from groundwork.telemetry.probes import Probes
from openmeet.settings import Settings
from openmeet.tenants.health import ProgramHealth
from openmeet.tenants.names import DEFAULT_TENANT
from programs.platform import open_installation
from programs.probes import WEB, probes_of, serving_of
from programs.web import open_site


async def test_the_status_page_says_that_nothing_can_be_saved(tmp_path: Path) -> None:
    """The database can be read, so nothing else on the page is late yet, and it would say that all is well."""
    settings = replace(Settings(), data_directory=tmp_path, dev_mode=True, pds_url="http://127.0.0.1:1")
    async with open_installation({DEFAULT_TENANT: settings}, SystemClock()) as installation:
        probes = Probes(probes_of(installation, WEB), Metrics("test"))
        site = await open_site(installation.default, ProgramHealth({}, probes, serving_of(installation, WEB)))
        async with httpx.AsyncClient(transport=httpx.ASGITransport(site), base_url="http://127.0.0.1") as browser:
            with closing(sqlite3.connect(tmp_path / "openmeet.db", isolation_level=None)) as other:
                other.execute("begin immediate")
                await probes.try_one("writes")
                shown = await browser.get("/status")
                assert (shown.status_code, "we can’t save anything right now" in shown.text) == (503, True)
            await probes.try_one("writes")
            assert "Everything is on time" in (await browser.get("/status")).text
