"""Calls, responses and table rows of XRPC methods."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from at_protocol.syntax.did import Did
from aurora_locus.accounts.sign_in_source import SignInSource
from aurora_locus.xrpc.authentication import Need, PdsCaller
from aurora_locus.xrpc.gate import Allowance
from aurora_locus.xrpc.host import XrpcHost
from groundwork.errors import NotSignedIn

# Write endpoints accept records, which alone may have a million bytes.
JSON_BODY_BYTES = 150 * 1024
WRITE_BODY_BYTES = 1_000_000

JSON = "application/json"


@dataclass(frozen=True, slots=True)
class XrpcCall:
    """One call: parameters and body are decoded and validated by the method's Lexicon, defaults of parameters filled in.

    ``body`` is the JSON input as data-model values; a method with a raw body reads ``stream`` instead. ``headers`` are
    lower-case. ``source`` is the client.
    """

    host: XrpcHost
    parameters: Mapping[str, Any]
    body: Any
    caller: PdsCaller | None
    headers: Mapping[bytes, bytes]
    stream: AsyncIterator[bytes]
    source: SignInSource
    allowance: Allowance = field(default_factory=Allowance)

    @property
    def peer(self) -> str:
        """The caller's address."""
        return self.source.address

    @property
    def did(self) -> Did:
        """The account that calls, for methods that need one."""
        if self.caller is None or self.caller.did is None:
            raise NotSignedIn("This needs an account; sign in first.", name="AuthMissing")
        return self.caller.did

    def header(self, name: str) -> str | None:
        """A request header by its lower-case name."""
        value = self.headers.get(name.encode("latin-1"))
        return None if value is None else value.decode("latin-1")


@dataclass(frozen=True, slots=True)
class XrpcResponse:
    """A response beyond plain JSON. ``body``: bytes, chunks, or a JSON-able value; None sends no body."""

    body: object = None
    content_type: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    status: int = 200


# A JSON-able dict is the usual output; None means there is none.
Outcome = XrpcResponse | dict[str, Any] | None
Run = Callable[[XrpcCall], Awaitable[Outcome]]


@dataclass(frozen=True, slots=True)
class Method:
    """One row of the table. ``raw_body``: the input is bytes of any type, streamed to the method."""

    nsid: str
    kind: Literal["query", "procedure"]
    need: Need
    run: Run
    max_body_bytes: int = 0
    raw_body: bool = False


def query(nsid: str, run: Run, need: Need = Need.NOTHING) -> Method:
    """A method that only reads: GET and HEAD."""
    return Method(nsid, "query", need, run)


def procedure(
    nsid: str, run: Run, need: Need, *, max_body_bytes: int = JSON_BODY_BYTES, raw_body: bool = False
) -> Method:
    """A method that changes something: POST."""
    return Method(nsid, "procedure", need, run, max_body_bytes, raw_body)
