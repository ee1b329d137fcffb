"""Calls, their bodies, responses and table rows of XRPC methods."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, ParamSpec, TypeVar

from starlette.requests import ClientDisconnect
from starlette.types import Receive

from at_protocol.syntax.did import Did
from aurora_locus.accounts.registry import Registry
from aurora_locus.accounts.sign_in_source import SignInSource
from aurora_locus.xrpc.authentication import AccessLevel, PdsCaller
from aurora_locus.xrpc.gate import Allowance
from aurora_locus.xrpc.host import XrpcHost
from groundwork.errors import NotSignedIn
from groundwork.http.addresses import network_of
from groundwork.rate_limit.contract import Limit

P = ParamSpec("P")
T = TypeVar("T")

# Write endpoints accept records, and a single record can have a million bytes.
JSON_BODY_BYTES = 150 * 1024
WRITE_BODY_BYTES = 1_000_000

JSON = "application/json"


@dataclass(frozen=True, slots=True)
class XrpcCall:
    """One call. Parameters and body are decoded and validated with the method's Lexicon, and defaults of parameters are
    filled in.

    ``body`` is the JSON input as data-model values, of ``body_bytes`` as JSON; a method with a raw body reads
    ``stream`` instead. ``headers`` have lower-case names. ``source`` is the client.
    """

    host: XrpcHost
    parameters: Mapping[str, Any]
    body: Any
    caller: PdsCaller | None
    headers: Mapping[bytes, bytes]
    stream: AsyncIterator[bytes]
    source: SignInSource
    allowance: Allowance = field(default_factory=Allowance)
    body_bytes: int = 0

    @property
    def registry(self) -> Registry:
        """What actions on accounts need."""
        return self.host.registry

    @property
    def peer(self) -> str:
        """The caller's address."""
        return self.source.address

    @property
    def did(self) -> Did:
        """The caller's account, for methods that need one. Raises NotSignedIn."""
        if self.caller is None or self.caller.did is None:
            raise NotSignedIn("This needs an account; sign in first.", name="AuthMissing")
        return self.caller.did

    async def compute(self, work: Callable[P, T], *arguments: P.args, **options: P.kwargs) -> T:
        """Run a computation with the body, on a thread if it is large. Raises TooMany and Unavailable
        (``ClientComputations``).
        """
        client = client_of(self.caller, self.source)
        return await self.host.computations.compute(client, self.body_bytes, work, *arguments, **options)

    def header(self, name: str) -> str | None:
        """Return a request header by its lower-case name."""
        value = self.headers.get(name.encode("latin-1"))
        return None if value is None else value.decode("latin-1")


def client_of(caller: PdsCaller | None, source: SignInSource) -> str:
    """Return the account of a caller, or the network of one without an account."""
    return network_of(source.address) if caller is None or caller.did is None else caller.did


@dataclass(frozen=True, slots=True)
class XrpcResponse:
    """A response other than plain JSON. ``body`` is bytes, chunks, or a JSON value; None sends no body."""

    body: object = None
    content_type: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    status: int = 200


# Most methods return a JSON object as a dict; None means that there is no output.
Outcome = XrpcResponse | dict[str, Any] | None
Run = Callable[[XrpcCall], Awaitable[Outcome]]
# The limits against which a call counts, each with the key under which it is counted; and how much it counts.
Charges = Callable[[XrpcCall], Sequence[tuple[Limit, str]]]
Points = Callable[[XrpcCall], int]


def one_point(_call: XrpcCall) -> int:
    """Each call counts once."""
    return 1


@dataclass(frozen=True, slots=True)
class Method:
    """One row of the table. With ``raw_body``, the input is bytes of any type, which are streamed to the method.

    ``charges`` are its own rate limits (``xrpc.limits``), None if it only has the server-wide ones.
    """

    nsid: str
    kind: Literal["query", "procedure"]
    need: AccessLevel
    run: Run
    max_body_bytes: int = 0
    raw_body: bool = False
    charges: Charges | None = None
    points: Points = one_point


def query(nsid: str, run: Run, need: AccessLevel = AccessLevel.OPTIONAL, *, charges: Charges | None = None) -> Method:
    """Make a row for a method that only reads: GET and HEAD."""
    return Method(nsid, "query", need, run, charges=charges)


def procedure(
    nsid: str,
    run: Run,
    need: AccessLevel,
    *,
    max_body_bytes: int = JSON_BODY_BYTES,
    raw_body: bool = False,
    charges: Charges | None = None,
    points: Points = one_point,
) -> Method:
    """Make a row for a method that changes something: POST."""
    return Method(nsid, "procedure", need, run, max_body_bytes, raw_body, charges, points)


async def stream(receive: Receive) -> AsyncIterator[bytes]:
    """Yield the body as it arrives."""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        yield message.get("body", b"")
        if not message.get("more_body", False):
            return


async def read_whole(receive: Receive) -> bytes:
    """Read the whole body, which nearly always arrives in one message."""
    chunks = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        chunks.append(message.get("body", b""))
        if not message.get("more_body", False):
            return chunks[0] if len(chunks) == 1 else b"".join(chunks)
