"""The reference PDS as a process on loopback, with its own folder and any directory.

The folder is like that of an operator: ``pds.env`` next to ``account.sqlite``, ``sequencer.sqlite``, ``actors/`` and
``blocks/`` (the blobs). Started again on the same folder, it is the same server.
"""

import asyncio
import os
import secrets
import signal
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
from aiohttp import ClientSession, ClientTimeout

from checks import reference
from tests.simulation.processes import DidNotStart, free_port, wait_until_ready


@dataclass
class ReferencePds:
    """One server. ``settings`` add to or override those of :meth:`environment`."""

    folder: Path
    plc_url: str
    port: int = field(default_factory=free_port)
    settings: dict[str, str] = field(default_factory=dict)
    admin_password: str = "admin of the reference"
    process: asyncio.subprocess.Process | None = None

    @property
    def url(self) -> str:
        return f"http://localhost:{self.port}"

    @property
    def did(self) -> str:
        return f"did:web:localhost%3A{self.port}"

    @property
    def environment_file(self) -> Path:
        return self.folder / "pds.env"

    def environment(self) -> dict[str, str]:
        """The server's environment variables. They are written to ``pds.env`` once, so that its secrets stay the same."""
        if self.environment_file.exists():
            lines = self.environment_file.read_text().splitlines()
            return dict(line.split("=", 1) for line in lines if line)
        made = {
            "PDS_HOSTNAME": "localhost",
            "PDS_PORT": str(self.port),
            "PDS_SERVICE_DID": self.did,
            "PDS_DATA_DIRECTORY": str(self.folder),
            "PDS_BLOBSTORE_DISK_LOCATION": str(self.folder / "blocks"),
            "PDS_DID_PLC_URL": self.plc_url,
            "PDS_SERVICE_HANDLE_DOMAINS": ".test",
            "PDS_INVITE_REQUIRED": "false",
            "PDS_ADMIN_PASSWORD": self.admin_password,
            "PDS_JWT_SECRET": secrets.token_hex(16),
            "PDS_DPOP_SECRET": secrets.token_hex(32),
            "PDS_PLC_ROTATION_KEY_K256_PRIVATE_KEY_HEX": secrets.token_hex(32),
            "PDS_DISABLE_SSRF_PROTECTION": "true",
            "PDS_DEV_MODE": "true",
            "LOG_ENABLED": "true",
            "LOG_LEVEL": "warn",
            **self.settings,
        }
        self.folder.mkdir(parents=True, exist_ok=True)
        self.environment_file.write_text("".join(f"{name}={value}\n" for name, value in made.items()))
        return made

    async def start(self, timeout_seconds: float = 180) -> None:
        """Start the server and wait until it is ready. Raises DidNotStart."""
        node = reference.node()
        assert node is not None, "tests that use it need the dependency `reference`"
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("PDS_", "NODE_"))}
        # Node.js keeps compiled modules in this folder. Compiling them again would take a sixth of the start.
        kept = {"NODE_COMPILE_CACHE": str(reference.FOLDER / "node_modules/.compiled")}
        environment = {**inherited, **kept, **self.environment(), "TEST_MAIL_FILE": str(self._mails)}
        with self._log.open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                node, reference.FOLDER / "serve.mjs", cwd=reference.FOLDER, env=environment, stdout=log, stderr=log
            )
        if not await wait_until_ready(self.process, f"{self.url}/xrpc/_health", timeout_seconds):
            raise DidNotStart(f"the reference PDS is not ready:\n{self.said()[-4000:]}")

    async def stop(self, timeout_seconds: float = 20) -> None:
        """Stop the server as Ctrl-C does, so that it writes its memory to disk."""
        if self.process is None or self.process.returncode is not None:
            return
        self.process.send_signal(signal.SIGINT)
        try:
            await asyncio.wait_for(self.process.wait(), timeout_seconds)
        except TimeoutError:
            self.process.kill()
            await self.process.wait()
            raise AssertionError(f"the reference PDS did not stop:\n{self.said()[-2000:]}") from None

    def said(self) -> str:
        """Everything that the server has printed so far."""
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    def mails(self) -> list[dict[str, Any]]:
        """The e-mails that it would have sent, oldest first: ``to`` (addresses), ``subject``, ``text``."""
        lines = self._mails.read_bytes().splitlines() if self._mails.exists() else []
        return [msgspec.json.decode(line) for line in lines]

    async def call(self, nsid: str, body: Any = None, *, token: str | None = None) -> Any:
        """Call a procedure and return its decoded response."""
        headers = {} if token is None else {"authorization": f"Bearer {token}"}
        async with (
            ClientSession(timeout=ClientTimeout(total=30)) as http,
            http.post(f"{self.url}/xrpc/{nsid}", json=body, headers=headers) as answer,
        ):
            content = await answer.read()
            assert answer.status == 200, content.decode()
            return msgspec.json.decode(content) if content else None

    async def read(self, nsid: str, *, token: str | None = None, **parameters: Any) -> bytes:
        """Call a query and return the bytes of its response."""
        headers = {} if token is None else {"authorization": f"Bearer {token}"}
        async with (
            ClientSession(timeout=ClientTimeout(total=60)) as http,
            http.get(f"{self.url}/xrpc/{nsid}", params=parameters, headers=headers) as answer,
        ):
            content = await answer.read()
            assert answer.status == 200, content.decode(errors="replace")
            return content

    async def sign_up(self, name: str, password: str = "password of a test") -> dict[str, Any]:
        """Create the account ``name.test``. Returns the response of ``createAccount``."""
        wish = {"handle": f"{name}.test", "email": f"{name}@example.org", "password": password}
        made = await self.call("com.atproto.server.createAccount", wish)
        assert isinstance(made, dict)
        return made

    @property
    def _log(self) -> Path:
        return self.folder / "reference.log"

    @property
    def _mails(self) -> Path:
        return self.folder / "mails.jsonl"
