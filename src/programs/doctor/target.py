"""The host that is checked, and what the checks have found out about it so far."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from at_network.did_resolver import DidResolver, DidSettings
from at_network.handle_resolver import HandleResolver, HandleSettings
from at_network.xrpc_client import XrpcClient
from at_protocol.syntax.did import Did
from groundwork.clock import Clock
from groundwork.errors import InvalidInput
from groundwork.http.client import HttpClient
from groundwork.http.reach import DEVELOPMENT, PUBLIC
from groundwork.startup_checks import is_own_machine

PUBLIC_DIRECTORY = "https://plc.directory"


@dataclass
class CheckedHost:
    """The host that is checked, opened with ``async with``. ``url`` is an origin. ``described`` is the response of
    describeServer, once there is one.
    """

    url: str
    host: str
    is_own_machine: bool
    clock: Clock
    http: HttpClient
    dids: DidResolver
    handles: HandleResolver
    described: Mapping[str, object] = field(default_factory=dict)
    accounts: list[Did] = field(default_factory=list)

    @property
    def xrpc(self) -> XrpcClient:
        return XrpcClient(self.http, self.clock, self.url)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.handles.close()
        await self.dids.close()
        await self.http.close()


def target(address: str, clock: Clock, *, directory_url: str = PUBLIC_DIRECTORY) -> CheckedHost:
    """Parse a host; a bare name means https. Raises InvalidInput if it is not an origin.

    Plain http and private addresses are allowed only for hosts on this machine.
    """
    text = address if "://" in address else f"https://{address}"
    parts = urlsplit(text)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.path.strip("/") or parts.query:
        raise InvalidInput("url", f"{address!r} is not the address of a server; write https://pds.example.org.")
    is_local = is_own_machine(parts.hostname)
    if parts.scheme == "http" and not is_local:
        raise InvalidInput("url", f"{parts.hostname} requires https; only a server on this machine can do without.")
    url = f"{parts.scheme}://{parts.netloc}"
    http = HttpClient(DEVELOPMENT if is_local else PUBLIC, user_agent="openmeet-pds-check")
    dids = DidResolver(http, clock, DidSettings(directory_url, is_development=is_local))
    handles = HandleResolver(
        http, dids, clock, HandleSettings(is_development=is_local, through_pds=(url,) if is_local else ())
    )
    return CheckedHost(url, parts.netloc, is_local, clock, http, dids, handles)
