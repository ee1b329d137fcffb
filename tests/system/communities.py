"""Two communities of one installation as real programs at one address, requested by their host names as through a
proxy.
"""

import asyncio
import email
import email.policy
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import msgspec

from tests.fork_server import FORK_SERVER
from tests.simulation.processes import Program, free_port
from tests.system.servers import Account, Servers, running_servers
from tests.system.tour.polling import eventually

ROLES = ("web", "firehose-consumer", "event-processor", "publisher", "scheduler")
EVENT = "community.lexicon.calendar.event"
COOKIE = "__Host-openmeet_session"


@dataclass(frozen=True)
class Community:
    """A site by its public URL. ``at``: where the programs listen."""

    name: str
    origin: str
    at: str

    async def ask(self, method: str, path: str, body: Any = None, **headers: str) -> httpx.Response:
        """Send a request as a proxy forwards it: with the public host name, and without state between requests."""
        sent = {"host": urlsplit(self.origin).netloc, "origin": self.origin} | {
            name.replace("_", "-"): value for name, value in headers.items()
        }
        async with httpx.AsyncClient(base_url=self.at, trust_env=False) as http:
            is_form = body is not None and not path.startswith("/api/")
            return await http.request(
                method, path, data=body if is_form else None, json=None if is_form else body, headers=sent
            )

    async def get(self, path: str, **headers: str) -> httpx.Response:
        return await self.ask("GET", path, **headers)

    async def session(self, person: Account) -> dict[str, Any]:
        """The response to signing in with handle and password."""
        wanted = {"handle": f"{person.name}.test", "password": f"password of {person.name}"}
        opened = await self.ask("POST", "/api/session", wanted)
        assert opened.status_code == 201, opened.text
        return dict(opened.json())

    async def cookie(self, person: Account) -> str:
        """The cookie that a browser gets by signing in on the page."""
        wanted = {"handle": f"{person.name}.test", "password": f"password of {person.name}"}
        came_in = await self.ask("POST", "/sign-in/handle", wanted)
        assert came_in.status_code == 303, came_in.text
        (found,) = re.findall(rf"{COOKIE}=([^;]+)", came_in.headers["set-cookie"])
        return f"{COOKIE}={found}"

    async def events(self, uri: str) -> list[dict[str, Any]]:
        """The events that this community has for a record."""
        found = await self.ask("GET", f"/api/events?uri={uri}")
        assert found.status_code == 200, found.text
        return list(found.json()["events"])

    async def arrival(self, uri: str) -> dict[str, Any]:
        """Wait for the event of a record and return it. Checks that there is never more than one."""
        found = await eventually(lambda: self.events(uri))
        assert len(found) == 1
        return found[0]


@dataclass
class Installation:
    """All running programs. ``communities``: by name. ``settings``: the one file that all roles read."""

    folder: Path
    servers: Servers
    at: str
    settings: Path
    programs: list[Program]
    ana: Account
    ben: Account
    communities: dict[str, Community] = field(default_factory=dict)

    @property
    def town(self) -> Community:
        return self.communities["default"]

    @property
    def village(self) -> Community:
        return self.communities["village"]

    async def write(self, name: str) -> str:
        """Write an event record to Ana's repository. Returns its URI."""
        record = {
            "$type": EVENT,
            "name": name,
            "createdAt": "2026-11-20T12:00:00Z",
            "startsAt": "2037-06-01T12:00:00Z",
        }
        async with httpx.AsyncClient(trust_env=False) as http:
            made = await self.ana.call(http, "createRecord", {"collection": EVENT, "record": record})
        assert made.status_code == 200, made.text
        return str(made.json()["uri"])

    async def command(self, *arguments: str) -> tuple[int, str]:
        """Run an operator's command. Returns its exit status and output."""
        command = (*arguments, "--settings", str(self.settings))
        done = await asyncio.to_thread(FORK_SERVER.run, *command, environment={})
        return done.returncode, done.stdout + done.stderr

    def mails(self, name: str) -> list[str]:
        """The text of every e-mail that a community has sent."""
        home = self.folder / "openmeet"
        folder = (home if name == "default" else home / "tenants" / name) / "mail"
        kept = [
            email.message_from_bytes(file.read_bytes(), policy=email.policy.default)
            for file in sorted(folder.glob("*.eml"))
        ]
        return [f"From: {one['From']}\n{one.get_body(('plain',)).get_content()}" for one in kept]

    def add(self, name: str, **own: object) -> None:
        """Add a community's table to the settings file. The programs read it at their next start."""
        origin = f"https://{name}.example"
        wanted = {"name": name, "public_url": origin, "site_name": f"The {name}", **own}
        lines = [f"{key} = {msgspec.json.encode(value).decode()}" for key, value in wanted.items()]
        with self.settings.open("a") as file:
            file.write("\n".join(["", "[[openmeet.tenants]]", *lines, ""]))
        self.communities[name] = Community(name, origin, self.at)

    async def start(self) -> None:
        for program in self.programs:
            await program.start()

    async def stop(self) -> None:
        ended = [(program, await program.stop()) for program in reversed(self.programs)]
        assert not any(code for _, code in ended), [program.said()[-2000:] for program, code in ended if code]


@asynccontextmanager
async def running_communities(folder: Path, database_url: str) -> AsyncIterator[Installation]:
    """The town and the village, both running. ``database_url``: PostgreSQL, or empty for files."""
    async with AsyncExitStack() as stack:
        servers = await stack.enter_async_context(running_servers(folder))
        ana, ben = await servers.account("ana"), await servers.account("ben")
        port = free_port()
        settings: dict[str, object] = {
            "site_name": "The town",
            "public_url": "https://town.example",
            "port": port,
            "data_directory": str(folder / "openmeet"),
            "dev_mode": True,
            "dev_mailbox": True,
            "allow_private_addresses": True,
            "moderators": [ana.did],
            "mail_from": "Town hall <no-reply@town.example>",
            "pds_url": servers.url,
            "pds_handle_domain": ".test",
            "plc_url": servers.plc_url,
            "firehose_urls": [servers.url.replace("http", "ws", 1)],
        }
        if database_url:
            settings |= {
                "database_url": database_url,
                "database_schema": "town",
                "network_database_url": database_url,
                "network_database_schema": "network_of_both",
                # Five programs, each with three databases and a queue per community, while the server allows a hundred
                # connections for all tests.
                "database_connections": 2,
            }
        file = folder / "town.toml"
        lines = [f"{name} = {msgspec.json.encode(value).decode()}" for name, value in settings.items()]
        file.write_text("\n".join(["[openmeet]", *lines, ""]))
        at = f"http://127.0.0.1:{port}"
        programs = [
            Program(
                role,
                {},
                folder / f"{role}.log",
                f"{at}/health/ready" if role == "web" else None,
                ["--settings", str(file)],
            )
            for role in ROLES
        ]
        found = Installation(folder, servers, at, file, programs, ana, ben)
        found.communities["default"] = Community("default", "https://town.example", at)
        found.add("village")
        # Stop every program, even if one of them fails.
        for program in programs:
            stack.push_async_callback(program.stop)
        await found.start()
        yield found
        await found.stop()
