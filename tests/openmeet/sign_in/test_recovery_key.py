"""A person who takes a repository over gets a key that moves it without its server. Nobody else sees the key, and the
site's copy is deleted.
"""

import base64
import html
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path

import httpx
import pytest

from at_network.did_resolver import DidResolver, DidSettings
from at_network.plc_client import PlcClient
from at_protocol.crypto.did_key import format_did_key
from at_protocol.crypto.p256 import P256PrivateKey
from at_protocol.crypto.private_multikey import parse_private_multikey
from at_protocol.syntax.did import Did
from aurora_locus.app import open_server
from aurora_locus.settings import PdsSettings
from groundwork.clock import DAY, HOUR, MINUTE
from groundwork.database.resealing import reseal
from groundwork.errors import Refused
from groundwork.http.server import serve
from groundwork.sealing import Sealer
from openmeet.domain.account_merge import reassignments
from openmeet.domain.data_export.person import export_document
from openmeet.domain.identities import actions, queries, recovery_key_queries
from openmeet.domain.identities.model import IdentityReason
from openmeet.domain.sign_in import actions as sign_in
from openmeet.domain.sign_in.model import SessionTransport
from openmeet.domain.users import actions as users
from openmeet.domain.users.model import UserId
from openmeet.network.publishing.consent import ConsentDependencies
from openmeet.network.repositories import recovery_keys
from openmeet.network.repositories.sessions import follow_account
from openmeet.web.account import custodial_pages
from openmeet.web.account.recent_proof import PROOF_LASTS
from programs import recovery_file
from programs.recovery import RecoveryContext, RecoveryTarget, move
from programs.resealing import sealed_columns
from tests.openmeet.deployment import Deployment
from tests.openmeet.sign_in.sign_in_site import SignInSite, site_for
from tests.openmeet.site_under_test import change_services
from tests.simulation.processes import free_port

TAKE_OVER = custodial_pages.TAKE_OVER_PATH
PATH = custodial_pages.PATH
NEW = {"password": "a password of her own", "again": "a password of her own"}


@dataclass
class Home:
    """A site with a custodial repository of Ana's, and browsers in which she is signed in."""

    site: SignInSite
    deployment: Deployment
    ana: UserId
    did: Did

    async def browser(self, user_id: UserId) -> httpx.AsyncClient:
        async with self.site.db.transaction() as tx:
            opened = await sign_in.open_session(tx, user_id, SessionTransport.BROWSER)
        transport = httpx.ASGITransport(app=self.site.app, raise_app_exceptions=True, client=("127.0.0.1", 5000))
        made = httpx.AsyncClient(
            transport=transport, base_url=self.site.origin, headers={"origin": self.site.origin}, trust_env=False
        )
        made.cookies.set("openmeet_session", opened.token)
        return made

    async def rows(self) -> list[dict]:
        async with self.site.db.reader() as reader:
            return [dict(row) for row in await reader.fetch("select * from recovery_keys")]

    async def person(self, name: str) -> UserId:
        async with self.site.db.transaction() as tx:
            return await users.create_person(tx, display_name=name, email=f"{name.lower()}@example.org")

    @property
    def directory_url(self) -> str:
        directory = self.deployment.pds.registry.directory
        assert isinstance(directory, PlcClient)
        return directory.directory_url

    @property
    def directory(self) -> PlcClient:
        return PlcClient(self.deployment.network.http, self.directory_url)

    async def taken_over(self) -> httpx.AsyncClient:
        """Ana's browser after she has taken it over."""
        browser = await self.browser(self.ana)
        done = await browser.post(TAKE_OVER, data=NEW)
        assert (done.status_code, done.headers["location"]) == (303, PATH)
        return browser


@pytest.fixture
async def home(deployment: Deployment) -> AsyncIterator[Home]:
    site = site_for(deployment, deployment.db)
    change_services(site.app, publishing=ConsentDependencies(site.network, deployment.custodial_pds))
    ana = (await deployment.person("Ana")).user_id
    yield Home(site, deployment, ana, (await deployment.identity(ana)).did)
    await site.network.wait_for_refreshes()


def shown_in(page: httpx.Response) -> str:
    (private,) = re.findall(r'id="private"[^>]* value="([^"]+)"', page.text)
    return html.unescape(private)


async def test_a_stolen_session_does_not_show_the_key(home: Home):
    browser = await home.taken_over()
    async with home.site.db.transaction() as tx:
        await tx.execute("update sessions set created_at = created_at - :by", by=PROOF_LASTS + 1)
    shown = await browser.get(PATH)
    assert 'id="private"' not in shown.text
    assert f"/sign-in?again=yes&amp;next={PATH}" in shown.text
    assert (await browser.get(f"{PATH}/file")).headers["location"] == PATH


async def test_the_key_moves_the_account_while_its_server_is_down(home: Home, tmp_path: Path):
    """The key goes from the page into a file, and from the file to the directory and to another server. The old server
    is not involved.
    """
    deployment = home.deployment
    browser = await home.taken_over()
    page = await browser.get(PATH)
    saved = await browser.get(f"{PATH}/file")
    assert (page.headers["cache-control"], saved.headers["cache-control"]) == ("no-store", "no-store")
    assert saved.headers["content-disposition"] == 'attachment; filename="recovery-key-ana.town.test.txt"'
    file = tmp_path / "key.txt"
    file.write_bytes(saved.content)
    kept = recovery_file.read(file)
    assert kept.identity == home.did
    assert kept.key.to_bytes() == parse_private_multikey(shown_in(page)).to_bytes()
    public = format_did_key(kept.key.public)
    assert (await home.directory.current(home.did))["rotationKeys"][0] == public
    await deployment.pds_serving.stop()
    port = free_port()
    settings = PdsSettings(
        hostname="new.localhost",
        port=port,
        public_url=f"http://127.0.0.1:{port}",
        data_directory=tmp_path / "new",
        database_url=f"sqlite://{tmp_path / 'new.db'}",
        service_handle_domains=(".new.test",),
        did_plc_url=home.directory_url,
        dev_mode=True,
    )
    async with open_server(settings, deployment.clock, version="test", access_log=False) as new:
        serving = await serve(new.app, "127.0.0.1", port)
        means = RecoveryContext(deployment.network.http, deployment.clock, home.directory, home.did, kept.key)
        wanted = RecoveryTarget(f"http://127.0.0.1:{port}", "ana.new.test", "ana@example.org", "another long password")
        status = await move(means, wanted, None, lambda _line: None)
        await serving.stop()
    assert status["validDid"] is True
    now = await home.directory.current(home.did)
    old = format_did_key(deployment.pds.registry.rotation_key.public)
    assert now["services"]["atproto_pds"]["endpoint"] == settings.public_url
    assert now["rotationKeys"] == [public, format_did_key(new.registry.rotation_key.public)]
    assert old not in now["rotationKeys"]


async def test_our_copy_is_deleted_once_the_person_keeps_the_key(home: Home):
    browser = await home.taken_over()
    private = shown_in(await browser.get(PATH))
    assert ">Save it</a>" in (await browser.get("/settings/identity")).text
    (row,) = await home.rows()
    asked = await browser.post(PATH, data={"public_key": row["public_key"]})
    assert (asked.status_code, shown_in(asked)) == (400, private)
    other = await browser.post(PATH, data={"public_key": "did:key:zOther", "kept": "yes"})
    assert (other.headers["location"], len(await home.rows())) == (PATH, 1)
    for _ in range(2):  # also when it is sent twice
        done = await browser.post(PATH, data={"public_key": row["public_key"], "kept": "yes"})
        assert (done.status_code, done.headers["location"]) == (303, "/settings/identity")
    assert await home.rows() == []
    assert [(await browser.get(path)).status_code for path in (PATH, f"{PATH}/file")] == [404, 404]
    assert ">Save it</a>" not in (await browser.get("/settings/identity")).text


async def test_only_its_owner_sees_the_key_and_only_after_the_takeover(home: Home, capsys: pytest.CaptureFixture[str]):
    """The owner does not see the key while the account is custodial. Other people never see it, and it is in no page,
    feed, export, row or log line.
    """
    ana = await home.browser(home.ana)
    before = [(await ana.get(path)).status_code for path in (PATH, f"{PATH}/file")]
    early = await ana.post(PATH, data={"public_key": (await home.rows())[0]["public_key"], "kept": "yes"})
    assert (before, early.headers["location"], len(await home.rows())) == ([404, 404], "/settings/identity", 1)
    browser = await home.taken_over()
    page = await browser.get(PATH)
    private = shown_in(page)
    (row,) = await home.rows()
    ben = await home.browser(await home.person("Ben"))
    assert [(await ben.get(path)).status_code for path in (PATH, f"{PATH}/file")] == [404, 404]
    await ben.post(PATH, data={"public_key": row["public_key"], "kept": "yes"})
    assert len(await home.rows()) == 1
    async with home.site.browser() as stranger:
        refused = [(await stranger.get(path)).status_code for path in (PATH, f"{PATH}/file")]
        assert refused == [303, 303]
        forged = await stranger.post(PATH, data={"kept": "yes"})
        assert forged.status_code == 401
    number = parse_private_multikey(private).to_bytes()
    forms = [private, number.hex(), repr(number)[2:-1], base64.b64encode(number).decode().rstrip("=")]
    elsewhere = [(await browser.get(path)).text for path in ("/settings/identity", "/", TAKE_OVER, "/settings/data")]
    elsewhere.append(repr(await export_document(home.site.db, home.ana, "https://meet.example")))
    async with home.site.db.reader() as reader:
        tables = await reader.fetch(
            "select name from sqlite_schema where type = 'table' and sql not like 'create virtual%'"
        )
        for table in tables:
            elsewhere += [repr(dict(each)) for each in await reader.fetch(f"select * from {table['name']}")]
    printed = capsys.readouterr()
    everything = "\n".join([*elsewhere, printed.out, printed.err])
    assert home.did in everything
    assert row["public_key"] in everything
    assert [form for form in forms if form in everything] == []


async def test_a_key_that_is_not_kept_is_deleted_after_thirty_days(home: Home):
    browser = await home.taken_over()
    home.deployment.clock.turn(30 * DAY - HOUR)
    assert await recovery_keys.erase_overdue(home.site.db) == 0
    home.deployment.clock.turn(2 * HOUR)
    assert await recovery_keys.erase_overdue(home.site.db) == 1
    assert await home.rows() == []
    again = await home.browser(home.ana)
    assert (await again.get(PATH)).status_code == 404
    await browser.aclose()


async def test_a_custodial_account_keeps_its_key_without_limit(home: Home):
    home.deployment.clock.turn(400 * DAY)
    assert await recovery_keys.erase_overdue(home.site.db) == 0
    assert len(await home.rows()) == 1


async def test_the_key_can_be_unsealed_after_a_key_rotation_and_a_merge(home: Home):
    """The key is sealed for its public key, so neither a new sealing key nor a merge with another person changes that."""
    rotated = replace(home.site.network, sealer=Sealer([b"n" * 32, bytes(32)]))
    columns = [one for one in sealed_columns(rotated.tenant) if one.table == "recovery_keys"]
    assert await reseal(home.site.db, rotated.sealer, columns) == (1, 1)
    other = await home.person("Ana at work")
    async with home.site.db.transaction() as tx:
        await queries.release_custodial(tx, home.did)
        await reassignments.reassign_identities(tx, home.ana, other)
    alone = replace(home.site.network, sealer=Sealer([b"n" * 32]))
    async with home.site.db.reader() as reader:
        assert await recovery_key_queries.unsaved_key(reader, home.ana) is None
        waiting = await recovery_key_queries.unsaved_key(reader, other)
    assert waiting is not None
    key = parse_private_multikey(recovery_keys.unseal(alone, waiting))
    assert (format_did_key(key.public), waiting.did) == (waiting.public_key, home.did)
    # If the sealing key is lost, the page says so and the sealed copy can be deleted.
    browser = await home.browser(other)
    page = await browser.get(PATH)
    assert "its encryption key is gone" in page.text
    assert (await browser.get(f"{PATH}/file")).status_code == 404
    await browser.post(PATH, data={"public_key": waiting.public_key, "kept": "yes"})
    assert await home.rows() == []


async def test_a_key_that_the_identity_no_longer_lists_is_not_shown(home: Home):
    browser = await home.taken_over()
    async with home.site.db.reader() as reader:
        waiting = await recovery_key_queries.unsaved_key(reader, home.ana)
    assert waiting is not None
    public = waiting.public_key
    other = P256PrivateKey.from_random(b"another" * 7)
    async with home.site.db.transaction() as tx:
        sealed = home.site.network.sealer.seal(other.to_bytes(), recovery_keys.purpose_of(format_did_key(other.public)))
        await tx.execute(
            "update recovery_keys set public_key = :key, sealed = :sealed",
            key=format_did_key(other.public),
            sealed=sealed,
        )
    page = await browser.get(PATH)
    assert "can’t use it any more" in page.text
    assert 'id="private"' not in page.text
    assert public in await home.site.network.dids.rotation_keys(home.did)


async def test_a_directory_that_is_down_hides_no_key(home: Home):
    settings = DidSettings(f"http://127.0.0.1:{free_port()}", is_development=True)
    away = DidResolver(home.deployment.network.http, home.deployment.clock, settings)
    network = replace(home.site.network, dids=away)
    browser = await home.taken_over()
    change_services(home.site.app, publishing=ConsentDependencies(network, home.deployment.custodial_pds))
    page = await browser.get(PATH)
    assert "isn’t answering" in page.text
    assert shown_in(page) in (await browser.get(f"{PATH}/file")).text
    await away.close()


async def test_an_account_without_a_key_is_told_where_to_make_one(home: Home):
    async with home.site.db.transaction() as tx:
        await recovery_key_queries.erase_of(tx, home.did)
    browser = await home.browser(home.ana)
    page = await browser.get(TAKE_OVER)
    assert "We have no recovery key for this account" in page.text
    assert f"{home.deployment.custodial_pds.pds_url}/account/recovery-key" in page.text
    done = await browser.post(TAKE_OVER, data=NEW)
    assert done.headers["location"] == "/settings/identity"


async def test_the_key_survives_disconnecting_and_is_deleted_with_the_account(home: Home):
    await home.taken_over()
    with pytest.raises(Refused, match=IdentityReason.RECOVERY_KEY_WAITS):
        async with home.site.db.transaction() as tx:
            await actions.unlink(tx, home.ana, home.did)
    assert len(await home.rows()) == 1
    async with home.site.db.transaction() as tx:
        await actions.erase(tx, home.did)
    assert await home.rows() == []


async def test_a_person_who_took_the_account_over_on_another_server_gets_the_key_too(home: Home):
    identity = await home.deployment.identity(home.ana)
    async with home.site.db.transaction() as tx:
        await follow_account(tx, identity, pds_url="https://elsewhere.example", status="active")
    browser = await home.browser(home.ana)
    assert format_did_key(
        parse_private_multikey(shown_in(await browser.get(PATH))).public
    ) in await home.site.network.dids.rotation_keys(home.did)


async def test_group_repositories_get_no_key(home: Home):
    """Nobody takes over group repositories, so the key would stay on this site forever."""
    async with home.site.db.transaction() as tx:
        holder = await users.create_shadow(tx, display_name="The club")
        await actions.grant_consent(tx, holder, handle="club.town.test")
    await home.deployment.deliver_jobs()
    club = await home.deployment.identity(holder)
    assert [row["user_id"] for row in await home.rows()] == [home.ana]
    assert await home.site.network.dids.rotation_keys(club.did) == (
        format_did_key(home.deployment.pds.registry.rotation_key.public),
    )


async def test_a_second_handle_after_a_refusal_makes_one_valid_key(home: Home):
    """The first handle was taken. The key created for that attempt is deleted, and the account lists the stored key."""
    await home.deployment.account("taken")
    cleo = await home.person("Cleo")
    for handle in ("taken.town.test", "cleo.town.test"):
        async with home.site.db.transaction() as tx:
            await actions.grant_consent(tx, cleo, handle=handle)
        await home.deployment.deliver_jobs()
    # The retry waits a minute because the first request might have succeeded.
    home.deployment.clock.turn(2 * MINUTE)
    await home.deployment.deliver_jobs()
    (row,) = [row for row in await home.rows() if row["user_id"] == cleo]
    identity = await home.deployment.identity(cleo)
    assert row["did"] == identity.did
    assert (await home.site.network.dids.rotation_keys(identity.did))[0] == row["public_key"]


async def test_a_lost_response_makes_no_second_key(home: Home):
    """The server created the account and its response was lost. The stored key is the one with which the account was
    created.
    """
    cleo = await home.person("Cleo")
    async with home.site.db.transaction() as tx:
        await actions.grant_consent(tx, cleo, handle="cleo.town.test")
    home.deployment.proxy.loses = lambda request: request.path.endswith("createAccount")
    await home.deployment.deliver_jobs()
    (before,) = [row for row in await home.rows() if row["user_id"] == cleo]
    home.deployment.proxy.loses = lambda _request: False
    home.deployment.clock.turn(HOUR)
    await home.deployment.deliver_jobs()
    identity = await home.deployment.identity(cleo)
    (after,) = [row for row in await home.rows() if row["user_id"] == cleo]
    assert (before["did"], after["did"], after["public_key"]) == (None, identity.did, before["public_key"])
    assert (await home.site.network.dids.rotation_keys(identity.did))[0] == before["public_key"]
