"""The examples in ``deploy/reverse-proxy``, with only names and ports replaced, in front of a real PDS and a real site."""

import asyncio
import contextlib
import os
import re
import shutil
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.external_dependencies import ROOT, needs
from tests.simulation.processes import OPENMEET, Program, free_port
from tests.tls import make_certificate

EXAMPLES = ROOT / "deploy" / "reverse-proxy"
TIMEOUT_SECONDS = 90
PASSWORD = "a password for a moment"


@dataclass(frozen=True)
class Front:
    """A PDS or a site behind a proxy: its public address, and the certificate authority that a client must trust."""

    port: int
    authority: Path
    plc_url: str
    program: Program

    @property
    def url(self) -> str:
        return f"https://localhost:{self.port}"

    def client(self) -> httpx.AsyncClient:
        context = ssl.create_default_context(cafile=str(self.authority))
        return httpx.AsyncClient(base_url=self.url, verify=context, trust_env=False)

    async def openmeet(self, *arguments: str) -> str:
        """The output of a command, whose exit status must be 0."""
        environment = {**os.environ, "SSL_CERT_FILE": str(self.authority), "OPENMEET_CHECK_PASSWORD": PASSWORD}
        process = await asyncio.create_subprocess_exec(
            OPENMEET, *arguments, env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
        )
        said, _ = await process.communicate()
        assert process.returncode == 0, said.decode()
        return said.decode()


@dataclass(frozen=True)
class Behind:
    """A server with examples: where they are, and what they contain instead of this machine's names and ports."""

    nginx: str
    caddy: str
    name: str
    names: Mapping[str, str]


def pds_behind(port: int) -> Behind:
    names = {"*.pds.example.org": "*.test", "pds.example.org": "localhost", "127.0.0.1:3000": f"127.0.0.1:{port}"}
    return Behind("nginx.conf", "Caddyfile", "pds.example.org", names)


def site_behind(port: int) -> Behind:
    names = {"meet.example.org": "localhost", "127.0.0.1:8080": f"127.0.0.1:{port}"}
    return Behind("openmeet.nginx.conf", "openmeet.Caddyfile", "meet.example.org", names)


def with_names(example: str, names: Mapping[str, str]) -> str:
    """An example, adapted to this machine. Each replacement must find its text, so that a changed example is noticed."""
    text = (EXAMPLES / example).read_text()
    for old, new in names.items():
        assert old in text, old
        text = text.replace(old, new)
    return text


def nginx(folder: Path, port: int, behind: Behind) -> tuple[list[str], dict[str, str], Path]:
    """The command, its environment, and the certificate authority to trust."""
    # Clients do not accept a wildcard for a whole top-level domain, so the names are listed.
    certificate = make_certificate(folder, "localhost", "ana.test", "nobody.test")
    example = with_names(
        behind.nginx,
        {
            "listen 80": f"listen 127.0.0.1:{free_port()}",
            "listen 443": f"listen 127.0.0.1:{port}",
            f"/etc/letsencrypt/live/{behind.name}": str(folder),
            **behind.names,
        },
    )
    places = "".join(
        f"{kind}_temp_path {folder}/{kind}; " for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    whole = folder / "nginx.conf"
    user = "user root; " if os.geteuid() == 0 else ""
    whole.write_text(
        f"{user}daemon off; pid {folder}/nginx.pid; error_log stderr; events {{}}\n"
        f"http {{ access_log off; {places}\n{example}\n}}"
    )
    return ["nginx", "-e", "stderr", "-c", str(whole)], {}, certificate.chain


def caddy(folder: Path, port: int, behind: Behind) -> tuple[list[str], dict[str, str], Path]:
    """Like ``nginx``. Caddy's own authority signs, instead of the public one."""
    globals_ = f"{{\n\tadmin off\n\tlocal_certs\n\tskip_install_trust\n\thttp_port {free_port()}\n\thttps_port {port}"
    text = with_names(behind.caddy, behind.names)
    whole = folder / "Caddyfile"
    adapted, has_globals = re.subn(r"^\{$", lambda _: globals_, text, count=1, flags=re.MULTILINE)
    whole.write_text(adapted if has_globals else f"{globals_}\n}}\n{text}")
    environment = {
        "XDG_DATA_HOME": str(folder / "data"),
        "XDG_CONFIG_HOME": str(folder / "config"),
        "HOME": str(folder),
    }
    command = ["caddy", "run", "--config", str(whole), "--adapter", "caddyfile"]
    return command, environment, folder / "data/caddy/pki/authorities/local/root.crt"


PROXIES = {"nginx": nginx, "caddy": caddy}


@pytest.fixture(params=[pytest.param(name, marks=needs(name)) for name in PROXIES])
async def front(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Front]:
    port, pds_port, plc_port = free_port(), free_port(), free_port()
    command, environment, authority = PROXIES[request.param](tmp_path, port, pds_behind(pds_port))
    plc_url = f"http://127.0.0.1:{plc_port}"
    plc = Program(
        "plc",
        {"PLC_PORT": str(plc_port), "PLC_DATA_DIRECTORY": str(tmp_path / "plc")},
        tmp_path / "plc.log",
        f"{plc_url}/_health",
    )
    pds = Program(
        "pds",
        {
            "PDS_DEV_MODE": "true",
            "PDS_PORT": str(pds_port),
            "PDS_PUBLIC_URL": f"https://localhost:{port}",
            "PDS_DATA_DIRECTORY": str(tmp_path / "pds"),
            "PDS_DID_PLC_URL": plc_url,
            "PDS_TRUSTED_PROXY_HOPS": "1",
        },
        tmp_path / "pds.log",
        f"http://127.0.0.1:{pds_port}/xrpc/_health",
    )
    async with AsyncExitStack() as stack:
        for program in (plc, pds):
            stack.push_async_callback(stopped, program)
            await program.start()
        await start_proxy(stack, command, environment, tmp_path / "proxy.log")
        front = Front(port, authority, plc_url, pds)
        await wait_until_reachable(front, tmp_path / "proxy.log", "/xrpc/_health")
        yield front


@pytest.fixture(params=[pytest.param(name, marks=needs(name)) for name in PROXIES])
async def site(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Front]:
    port, web_port = free_port(), free_port()
    command, environment, authority = PROXIES[request.param](tmp_path, port, site_behind(web_port))
    web = Program(
        "web",
        {
            "OPENMEET_DATA_DIRECTORY": str(tmp_path / "openmeet"),
            "OPENMEET_PUBLIC_URL": f"https://localhost:{port}",
            "OPENMEET_PORT": str(web_port),
            "OPENMEET_PDS_URL": "http://127.0.0.1:1",
            "OPENMEET_PLC_URL": "http://127.0.0.1:1",
            "OPENMEET_DEV_MODE": "true",
            "OPENMEET_DEV_MAILBOX": "true",
            "OPENMEET_TRUSTED_PROXY_HOPS": "1",
        },
        tmp_path / "web.log",
        f"http://127.0.0.1:{web_port}/health/ready",
    )
    async with AsyncExitStack() as stack:
        stack.push_async_callback(stopped, web)
        await web.start()
        await start_proxy(stack, command, environment, tmp_path / "proxy.log")
        front = Front(port, authority, "", web)
        await wait_until_reachable(front, tmp_path / "proxy.log", "/health/live")
        yield front


async def start_proxy(stack: AsyncExitStack, command: list[str], environment: dict[str, str], log: Path) -> None:
    said = stack.enter_context(log.open("wb"))
    found = shutil.which(command[0], path=f"{os.environ['PATH']}:/usr/sbin")
    proxy = await asyncio.create_subprocess_exec(
        found or command[0], *command[1:], env={**os.environ, **environment}, stdout=said, stderr=said
    )
    stack.push_async_callback(ended, proxy)


async def stopped(program: Program) -> None:
    assert await program.stop() == 0


async def ended(proxy: asyncio.subprocess.Process) -> None:
    proxy.terminate()
    await proxy.wait()


async def wait_until_reachable(front: Front, log: Path, path: str) -> None:
    for _ in range(TIMEOUT_SECONDS * 10):
        if front.authority.is_file():
            try:
                async with front.client() as http:
                    if (await http.get(path)).status_code == 200:
                        return
            except httpx.TransportError:
                pass
        await asyncio.sleep(0.1)
    said = await asyncio.to_thread(log.read_text)
    raise AssertionError(f"the proxy does not answer:\n{said[-3000:]}")


async def sign_up(front: Front, name: str) -> dict[str, Any]:
    body = {"handle": f"{name}.test", "email": f"{name}@example.org", "password": PASSWORD}
    async with front.client() as http:
        answer = await http.post("/xrpc/com.atproto.server.createAccount", json=body)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_pds_behind_a_proxy_passes_the_doctor(front: Front) -> None:
    await sign_up(front, "ana")
    said = await front.openmeet("pds", "check", front.url, "--plc", front.plc_url, "--account", "ana.test", "--write")
    for about in ("address", "browsers", "sign-in", "identity", "repository", "firehose", "record write"):
        assert re.search(rf"^ok +{about} ", said, re.MULTILINE), said


async def test_handles_are_proven_and_forged_addresses_ignored(front: Front) -> None:
    ana = await sign_up(front, "ana")
    proof = await asked_as(front, "ana.test")
    assert proof is not None
    assert ana["did"] in proof
    denied = await asked_as(front, "nobody.test")
    assert denied is None or " 404 " in denied.splitlines()[0]
    left = []
    async with front.client() as http:
        for claimed in ("192.0.2.1", "192.0.2.2, 192.0.2.3"):
            answer = await http.post(
                "/xrpc/com.atproto.server.createSession",
                json={"identifier": "ana.test", "password": "another one"},
                headers={"x-forwarded-for": claimed},
            )
            left.append(int(answer.headers["ratelimit-remaining"]))
    assert left[1] == left[0] - 1, "a forged client address is counted as another client"


async def test_large_uploads_pass_the_proxy(front: Front) -> None:
    ana = await sign_up(front, "ana")
    headers = {"authorization": f"Bearer {ana['accessJwt']}", "content-type": "application/octet-stream"}
    async with front.client() as http:
        uploaded = await http.post(
            "/xrpc/com.atproto.repo.uploadBlob", content=os.urandom(4 * 1024 * 1024), headers=headers
        )
        too_large = await _refused(http, "/xrpc/com.atproto.repo.uploadBlob", bytes(6 * 1024 * 1024), headers)
    assert uploaded.status_code == 200, uploaded.text
    assert too_large.json()["error"] in {"BlobTooLarge", "PayloadTooLarge"}, (
        "the error text is the PDS's, not the proxy's"
    )


async def _refused(http: httpx.AsyncClient, path: str, body: bytes, headers: dict[str, str]) -> httpx.Response:
    """The response to a request whose body is refused before it has arrived.

    A proxy that stops reading closes the connection, and a client that is still sending may lose the response to the
    reset (RFC 9112, section 9.6). The request is then sent again.
    """
    for _ in range(9):
        with contextlib.suppress(httpx.ReadError, httpx.WriteError):
            return await http.post(path, content=body, headers=headers)
    return await http.post(path, content=body, headers=headers)


async def asked_as(front: Front, name: str) -> str | None:
    """The response when a handle is resolved at its own host name. None if no certificate is issued for it."""
    context = ssl.create_default_context(cafile=str(front.authority))
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", front.port, ssl=context, server_hostname=name)
    except (ssl.SSLError, ConnectionError):
        return None
    writer.write(f"GET /.well-known/atproto-did HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n".encode())
    answer = (await reader.read()).decode()
    writer.close()
    return answer


async def test_site_behind_a_proxy_keeps_people_signed_in_and_takes_pictures(site: Front) -> None:
    """Forms are accepted from the public address, cookies are only sent by https, and the site limits uploads itself."""
    async with site.client() as http:
        home = await http.get("/")
        asked = await http.post(
            "/sign-in", data={"identifier": "ana@example.org", "next": "/"}, headers={"origin": site.url}
        )
        large = await http.post(
            "/events/new",
            data={"title": "Chess"},
            files={"picture": ("cover.jpg", bytes(9_000_000), "image/jpeg")},
            headers={"origin": site.url},
        )
    assert home.status_code == 200
    assert asked.status_code == 303, asked.text
    assert large.status_code == 400, "the site reads the form and finds that the event has no start"
    assert "proxy.not_configured" not in site.program.said()
