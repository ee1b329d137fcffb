"""A real Synapse for tests: its folder, its process, accounts of real people, and ways to kill it."""

import asyncio
import base64
import hashlib
import hmac
import os
import secrets
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import msgspec

from checks import synapse
from groundwork.clock import SystemClock
from groundwork.http.client import HttpClient
from openmeet.matrix.calls import Homeserver
from openmeet.matrix.registration import open_homeserver, write_registration
from tests.simulation.processes import DidNotStart, free_port, wait_until_ready

SERVER_NAME = "chat.test"
_SHARED_SECRET = "for accounts of tests"  # for a server on loopback that runs no longer than the test


@dataclass
class MatrixAccount:
    """The account of a real person, with their own client."""

    url: str
    user_id: str
    token: str

    async def call(self, method: str, path: str, body: Any = None, expected: int = 200) -> Any:
        async with httpx.AsyncClient(trust_env=False, timeout=60) as http:
            headers = {"authorization": f"Bearer {self.token}"}
            answer = await http.request(method, f"{self.url}/_matrix/client/v3/{path}", json=body, headers=headers)
        assert answer.status_code == expected, answer.text
        return answer.json()

    async def join(self, room: str) -> None:
        await self.call("POST", f"rooms/{room}/join", {})

    async def say(self, room: str, body: str, transaction: str, **content: Any) -> str:
        wish = {"msgtype": "m.text", "body": body, **content}
        return str((await self.call("PUT", f"rooms/{room}/send/m.room.message/{transaction}", wish))["event_id"])

    async def events(self, room: str) -> list[dict[str, Any]]:
        """Return the newest hundred events of a room, oldest first."""
        found = await self.call("GET", f"rooms/{room}/messages?dir=b&limit=100")
        return list(reversed(found["chunk"]))

    async def texts(self, room: str) -> list[tuple[str, str]]:
        """Return (sender, body) of the messages that have not been redacted."""
        return [
            (one["sender"], one["content"]["body"])
            for one in await self.events(room)
            if one["type"] == "m.room.message" and "body" in one["content"]
        ]


class Synapse:
    """One homeserver on loopback with SQLite. ``start`` after ``kill`` starts it again with the same folder and port."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.token_file = folder / "matrix.token"
        self.registration = folder / "registration.yaml"
        self._process: asyncio.subprocess.Process | None = None

    def write_settings(self) -> None:
        write_registration(self.registration, self.token_file, SERVER_NAME, renew=False)
        (self._folder / "log.yaml").write_text(
            msgspec.json.encode(
                {
                    "version": 1,
                    "handlers": {"file": {"class": "logging.StreamHandler"}},
                    "root": {"level": "WARNING", "handlers": ["file"]},
                }
            ).decode()
        )
        wanted = {
            "server_name": SERVER_NAME,
            "report_stats": False,
            "pid_file": str(self._folder / "synapse.pid"),
            "listeners": [
                {
                    "port": self.port,
                    "bind_addresses": ["127.0.0.1"],
                    "type": "http",
                    "resources": [{"names": ["client"]}],
                }
            ],
            "database": {"name": "sqlite3", "args": {"database": str(self._folder / "synapse.db")}},
            "log_config": str(self._folder / "log.yaml"),
            "media_store_path": str(self._folder / "media"),
            "signing_key_path": str(self._folder / "signing.key"),
            "registration_shared_secret": _SHARED_SECRET,
            "macaroon_secret_key": "of tests",
            "form_secret": "of tests",
            "trusted_key_servers": [],
            "federation_domain_whitelist": [],
            "app_service_config_files": [str(self.registration)],
            "enable_metrics": False,
            # The cheapest hashes: the passwords of these accounts protect nothing.
            "bcrypt_rounds": 4,
            "redaction_retention_period": None,
            # Synapse limits real people to one message every five seconds by default; the tests write faster.
            "rc_message": {"per_second": 1000, "burst_count": 1000},
            "rc_joins": {"local": {"per_second": 1000, "burst_count": 1000}},
            "rc_invites": {
                "per_room": {"per_second": 1000, "burst_count": 1000},
                "per_user": {"per_second": 1000, "burst_count": 1000},
            },
        }
        # The file format of the signedjson library. Writing the key here saves one start of Synapse.
        key = base64.b64encode(secrets.token_bytes(32)).decode().rstrip("=")
        (self._folder / "signing.key").write_text(f"ed25519 a_test {key}\n")
        (self._folder / "homeserver.yaml").write_bytes(msgspec.json.encode(wanted))

    async def start(self) -> None:
        program = [
            str(synapse.python()),
            "-m",
            "synapse.app.homeserver",
            "--config-path",
            str(self._folder / "homeserver.yaml"),
        ]
        with (self._folder / "synapse.log").open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *program, cwd=self._folder, stdout=log, stderr=log, env={**os.environ, "PYTHONUNBUFFERED": "1"}
            )
        if not await wait_until_ready(self._process, f"{self.url}/_matrix/client/versions", 120):
            raise DidNotStart((self._folder / "synapse.log").read_text(errors="replace")[-4000:])

    async def kill(self) -> None:
        """Kill the process with SIGKILL."""
        assert self._process is not None
        if self._process.returncode is None:
            self._process.kill()
            await self._process.wait()

    async def stop(self) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                await asyncio.wait_for(self._process.wait(), 30)
            except TimeoutError:
                await self.kill()

    def homeserver(self, http: HttpClient) -> Homeserver:
        return open_homeserver(http, SystemClock(), self.url, SERVER_NAME, self.token_file)

    async def account(self, name: str) -> MatrixAccount:
        """Create the account of a real person who uses their own client."""
        async with httpx.AsyncClient(trust_env=False, timeout=60, base_url=self.url) as http:
            nonce = (await http.get("/_synapse/admin/v1/register")).json()["nonce"]
            mac = hmac.new(_SHARED_SECRET.encode(), f"{nonce}\0{name}\0secret\0notadmin".encode(), hashlib.sha1)
            wish = {"nonce": nonce, "username": name, "password": "secret", "admin": False, "mac": mac.hexdigest()}
            answer = await http.post("/_synapse/admin/v1/register", json=wish)
        assert answer.status_code == 200, answer.text
        made = answer.json()
        return MatrixAccount(self.url, made["user_id"], made["access_token"])
