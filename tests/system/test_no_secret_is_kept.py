"""Invariant 8 on whole installations: no secret that grants access is readable in a file, table, log or metric.

People sign up, sign in, mistype, and get tokens, URLs and e-mails, with real programs. Everything that is left behind
is then searched for each secret: as it is, in a URL, in hexadecimal digits and in base64.
"""

import base64
import sqlite3
from pathlib import Path

import httpx

from tests.interop.consent import allow
from tests.openmeet.sign_in.sign_in_site import where_of
from tests.system.communities import running_communities
from tests.system.guests import password_of
from tests.system.secrets import Planted, files_below, found_in, tables_of, use_the_pds, use_the_platform
from tests.system.single_process import get, running_up

# Exceptions: the installation's own key lies next to the data that it seals, readable only by its owner; and a
# development mailbox is meant to be read.
MEANT = ("sealing.key", "mail")
# The ready-made accounts of a development network. Their passwords are printed at the start.
HOUSEHOLD = ("household.json", "ready.json", "settings.toml")


async def test_single_machine_installation_stores_no_secret(tmp_path: Path) -> None:
    """``openmeet up``: everything in one process on files, with an account linked by OAuth."""
    planted = Planted()
    data = tmp_path / "var"
    async with running_up(tmp_path, "--data", str(data), environment={"OPENMEET_LOG_LEVEL": "debug"}) as up:
        account = await use_the_pds(up.pds, "dora", planted)
        headers = {"origin": up.openmeet}
        async with httpx.AsyncClient(base_url=up.openmeet, headers=headers, timeout=60, trust_env=False) as http:

            async def mails() -> str:
                return (await http.get("/dev/mail")).text

            await use_the_platform(http, account, mails, planted)
        async with httpx.AsyncClient(base_url=up.openmeet, headers=headers, timeout=60, trust_env=False) as browser:
            left = await browser.post("/sign-in/network", data={"identifier": "dora.test"})
            back = await allow(where_of(left), "dora.test", planted.values["password of the account"])
            # The state parameter grants no access: it only identifies the app's own request (RFC 6749, section 10.12).
            planted.add("code of OAuth", httpx.URL(back).params["code"])
            assert (await browser.get(back)).status_code == 303
            assert (await browser.get("/settings/identity")).status_code == 200
            for cookie in browser.cookies.jar:
                if cookie.value and len(cookie.value) > 20:
                    planted.add(f"cookie {cookie.name}", cookie.value)
        metrics = [(url, (await get(f"{url}/metrics")).content) for url in (up.openmeet, up.pds)]
        # Searched while it runs, because recent writes are in the write-ahead log.
        found = found_in(planted, [*files_below(data, *MEANT, *HOUSEHOLD), *metrics])
        said = up.program.log
    found += found_in(planted, [*files_below(data, *MEANT, *HOUSEHOLD), ("the log", said.read_bytes())])
    assert len(planted.values) >= 17
    assert found == []
    for private in (*data.rglob("*.key"), *data.rglob("*.db"), data / "household.json", data / "settings.toml"):
        assert private.stat().st_mode & 0o077 == 0, private


async def test_distributed_installation_stores_no_secret(tmp_path: Path, postgres_url: str) -> None:
    """Five kinds of process of two communities on PostgreSQL: rows, files, and the output of each process."""
    planted = Planted()
    async with running_communities(tmp_path, postgres_url) as both:
        account = await use_the_pds(both.servers.url, "dora", planted)
        headers = {"host": "town.example", "origin": both.town.origin}
        async with httpx.AsyncClient(base_url=both.at, headers=headers, timeout=60, trust_env=False) as http:

            async def mails() -> str:
                return "\n".join(path.read_text() for path in (tmp_path / "openmeet" / "mail").glob("*.eml"))

            await use_the_platform(http, account, mails, planted)
            metrics = [("metrics", (await http.get("/metrics")).content)]
        rows = await tables_of(postgres_url, ("town", "village", "network_of_both"))
        found = found_in(planted, [*rows, *metrics, *files_below(tmp_path, *MEANT)])
    found += found_in(planted, files_below(tmp_path, *MEANT))
    assert len(planted.values) >= 14
    assert found == []


def test_search_finds_a_stored_secret(tmp_path: Path) -> None:
    """The search finds a secret in each form, including in a SQLite file. Otherwise the search above would prove
    nothing.
    """
    planted = Planted()
    secret = planted.add("password", password_of("dora.test"))
    places = [
        ("plain", secret.encode()),
        ("hex", secret.encode().hex().encode()),
        ("url", b"/x?p=" + secret.replace(" ", "%20").encode()),
        *((f"base64 {n}", base64.b64encode(b"x" * n + secret.encode() + b"yy")) for n in range(3)),
    ]
    with sqlite3.connect(tmp_path / "one.db") as db:
        db.execute("create table t (a text)")
        db.execute("insert into t values (?)", (f"before {secret} behind",))
    db.close()
    found = found_in(planted, [*places, *files_below(tmp_path)])
    assert [one.partition(" in ")[2] for one in found] == [name for name, _ in places] + ["one.db"]
    token = b"eyJ" + b"a" * 30 + b".eyJ" + b"b" * 30 + b"." + b"c" * 43
    assert len(found_in(planted, [("a log", token)])) == 1
