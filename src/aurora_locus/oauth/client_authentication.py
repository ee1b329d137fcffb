"""Client authentication: the metadata document, and for confidential clients also a signed assertion (RFC 7523) that
can be used once.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256

from at_protocol.failures import Malformed
from at_protocol.oauth.client_assertion import (
    ASSERTION_TYPE,
    MAX_AGE_SECONDS,
    Assertion,
    check_signature,
    read_assertion,
)
from at_protocol.oauth.client_id import parse_client_id
from at_protocol.oauth.client_metadata import ClientMetadata
from aurora_locus.oauth import refusals
from aurora_locus.oauth.model import ClientBinding
from aurora_locus.oauth.server import AuthorizationServer
from groundwork.clock import SECOND
from groundwork.errors import Failure, NotSignedIn


class KeyNotPublished(NotSignedIn):
    """The assertion names a key that the client does not publish, or no longer publishes."""

    def __init__(self, key_id: str) -> None:
        super().__init__("The assertion names a key (kid) that the client does not publish.", name="invalid_client")
        self.key_id = key_id


@dataclass(frozen=True, slots=True)
class AuthenticatedClient:
    """An authenticated client. Its ``assertion`` has not been marked as used yet."""

    client: ClientMetadata
    binding: ClientBinding
    assertion: Assertion | None


async def authenticate(server: AuthorizationServer, form: Mapping[str, str]) -> AuthenticatedClient:
    """Return the client of a request. Raises errors named ``invalid_request``, ``invalid_client_metadata``,
    ``invalid_client``.
    """
    if "client_id" not in form:
        raise refusals.invalid_request("client_id is missing.")
    try:
        client_id = parse_client_id(form["client_id"], is_development=server.is_development)
        client = await server.clients.find(client_id)
    except Malformed as error:
        raise refusals.invalid_client_metadata(f"The client cannot be accepted: {error.why}.") from None
    except Failure as failure:
        raise refusals.invalid_client_metadata(f"The client's document cannot be fetched: {failure.why}") from None
    if not client.is_confidential:
        if "client_assertion" in form:
            raise refusals.invalid_client("This client's document says that it does not authenticate.")
        return AuthenticatedClient(client, ClientBinding(), None)
    assertion, binding = await _by_assertion(server, client, form)
    return AuthenticatedClient(client, binding, assertion)


async def use_up(server: AuthorizationServer, authenticated: AuthenticatedClient) -> None:
    """Mark the assertion as used. Raises ``invalid_client`` if it was used before."""
    assertion = authenticated.assertion
    if assertion is None:
        return
    key = sha256(f"{assertion.client_id} {assertion.token_id}".encode()).hexdigest()
    left = assertion.issued_at + MAX_AGE_SECONDS - server.registry.clock.now() // SECOND + 1
    if not await server.replays.put_if_absent(f"assertion:{key}", b"", ttl_seconds=left):
        raise refusals.invalid_client("This assertion was used before.")


async def _by_assertion(
    server: AuthorizationServer, client: ClientMetadata, form: Mapping[str, str]
) -> tuple[Assertion, ClientBinding]:
    if form.get("client_assertion_type") != ASSERTION_TYPE or "client_assertion" not in form:
        raise refusals.invalid_client(f"This client must send client_assertion with the type {ASSERTION_TYPE}.")
    try:
        assertion = read_assertion(
            form["client_assertion"],
            client_id=client.client_id,
            issuer=server.issuer,
            now_seconds=server.registry.clock.now() // SECOND,
        )
        if assertion.algorithm != client.signing_algorithm:
            raise refusals.invalid_client("The assertion uses a different algorithm than the client's document names.")
        key = await server.clients.key(client, assertion.key_id)
        if key is None:
            raise KeyNotPublished(assertion.key_id)
        check_signature(assertion, key)
    except Malformed as error:
        raise refusals.invalid_client(f"The client could not be authenticated: {error.why}.") from None
    except NotSignedIn:
        raise
    except Failure as failure:
        raise refusals.invalid_client(f"The client's keys cannot be fetched: {failure.why}") from None
    return assertion, ClientBinding(key_id=assertion.key_id, algorithm=assertion.algorithm, thumbprint=key.thumbprint)
