"""Checks of the server's address: name, certificate, health, description, headers for browsers."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from at_protocol.failures import Malformed
from at_protocol.syntax.did import parse_did, web_host
from groundwork.clock import SECOND
from groundwork.errors import Failure, RemoteFailed, RemoteSlow
from groundwork.http.reach import AddressRefused
from programs.doctor.finding import CheckFinding, failed, good, note, skipped
from programs.doctor.target import CheckedHost

# Other servers refuse revisions and tokens if the clock is off by more (sync specification: five minutes ahead).
CLOCK_SECONDS = 60.0


async def check_reachable(host: CheckedHost) -> AsyncIterator[CheckFinding]:
    """Check that the server answers at all, over TLS with a trusted certificate."""
    about = "address"
    try:
        response = await host.http.get(f"{host.url}/xrpc/_health")
    except AddressRefused:
        yield failed(
            about,
            f"{host.host} does not resolve to a public address, so no relay and no app can reach it.",
            "Point the A and AAAA records of the name to the server's public address.",
        )
        return
    except RemoteSlow:
        yield failed(about, f"{host.host} did not answer in time.", "Open ports 443 and 80 in the firewall.")
        return
    except RemoteFailed as failure:
        yield failed(
            about,
            f"{failure.why} The name, the port or the certificate does not work.",
            "Check the DNS entry, that the reverse proxy listens on 443, and that its certificate is valid for this name: "
            f"curl -v {host.url}/xrpc/_health",
        )
        return
    if not response.is_ok:
        yield failed(
            about,
            f"/xrpc/_health answers with status {response.status}.",
            "The reverse proxy answers, but not with the PDS behind it: check where it sends /xrpc/.",
        )
        return
    body = response.json()
    version = body.get("version") if isinstance(body, dict) else None
    yield good(about, f"answers, version {version or 'unknown'}")
    yield _clock(host, response.headers.get("date"))


def _clock(host: CheckedHost, date: str | None) -> CheckFinding:
    about = "clock"
    try:
        server_time = parsedate_to_datetime(date or "")
    except ValueError:
        return skipped(about, "the server's responses do not contain the time")
    if server_time.tzinfo is None:  # "-0000": the sender does not say its zone, and HTTP dates are in UTC
        server_time = server_time.replace(tzinfo=UTC)
    ours = datetime.fromtimestamp(host.clock.now() / SECOND, UTC)
    seconds = abs((server_time - ours).total_seconds())
    if seconds > CLOCK_SECONDS:
        return failed(
            about,
            f"The server's clock and this machine's are {seconds:.0f} s apart.",
            "Switch on time synchronisation (timedatectl set-ntp true) on the machine with the wrong time: other "
            "servers refuse data that is signed for the future.",
        )
    return good(about, f"right within {max(1, round(seconds))} s")


async def check_description(host: CheckedHost) -> AsyncIterator[CheckFinding]:
    """Check describeServer, the server's own DID, and CORS."""
    about = "description"
    try:
        host.described = await host.xrpc.query("com.atproto.server.describeServer")
    except Failure as failure:
        yield failed(about, str(failure.why), "Send everything below /xrpc/ to the PDS unchanged; is this host a PDS?")
        return
    domains = host.described.get("availableUserDomains")
    names = ", ".join(map(str, domains)) if isinstance(domains, list) and domains else "none"
    invite = "with an invite code" if host.described.get("inviteCodeRequired") else "without an invite code"
    yield good(about, f"accounts {invite}, handles below {names}")
    async for finding in _service_did(host):
        yield finding
    async for finding in _browsers(host):
        yield finding


async def _service_did(host: CheckedHost) -> AsyncIterator[CheckFinding]:
    about = "server's DID"
    try:
        did = parse_did(str(host.described.get("did")))
        if did.startswith("did:web:") and web_host(did).lower() != host.host.lower():
            yield note(about, f"{did} names another host than {host.host}")
            return
        document = await host.dids.resolve(did)
    except Malformed as failure:
        yield failed(
            about, f"describeServer names no DID: {failure.why}.", "Set the server's host name (PDS_HOSTNAME)."
        )
        return
    except Failure as failure:
        yield note(about, f"cannot be resolved, so nobody can call its services: {failure.why}")
        return
    endpoint = document.pds
    if endpoint is not None and endpoint.rstrip("/").lower() != host.url.lower():
        yield failed(
            about,
            f"{did} says that its server is {endpoint}, not {host.url}.",
            "Set the public address of the server (PDS_PUBLIC_URL, PDS_HOSTNAME) to the one that others use.",
        )
        return
    yield good(about, str(did))


async def _browsers(host: CheckedHost) -> AsyncIterator[CheckFinding]:
    about = "browsers"
    origin = "https://app.example.org"
    try:
        response = await host.http.request(
            "OPTIONS",
            f"{host.url}/xrpc/com.atproto.server.createSession",
            headers={
                "origin": origin,
                "access-control-request-method": "POST",
                "access-control-request-headers": "authorization,content-type,dpop,atproto-proxy",
            },
        )
    except Failure as failure:
        yield failed(about, str(failure.why), "Let the reverse proxy pass the method OPTIONS.")
        return
    if not response.is_ok or response.headers.get("access-control-allow-origin") not in {"*", origin}:
        yield failed(
            about,
            f"A web app cannot call this server (OPTIONS answers {response.status} without Access-Control-Allow-Origin).",
            "Let the PDS answer OPTIONS itself; a reverse proxy must not drop or double its Access-Control headers.",
        )
        return
    yield good(about, "web apps can call it")


async def sign_in(host: CheckedHost) -> AsyncIterator[CheckFinding]:
    """Check the OAuth metadata, by which apps find the authorization server."""
    about = "sign-in"
    try:
        resource = (await host.http.get(f"{host.url}/.well-known/oauth-protected-resource")).expect_ok().json()
        (issuer,) = resource["authorization_servers"]
        metadata = (await host.http.get(f"{issuer}/.well-known/oauth-authorization-server")).expect_ok().json()
        if metadata["issuer"] != issuer:
            yield failed(
                about,
                f"The authorization server at {issuer} calls itself {metadata['issuer']}.",
                "Set the public address of the server (PDS_PUBLIC_URL) without a slash at the end.",
            )
            return
    except (Failure, KeyError, TypeError, ValueError) as failure:
        why = failure.why if isinstance(failure, Failure) else "The documents are not valid."
        yield failed(
            about,
            f"Apps cannot find out where people sign in: {why}",
            "Let the reverse proxy send /.well-known/oauth-protected-resource and /.well-known/oauth-authorization-server "
            "to the PDS, without redirects.",
        )
        return
    yield good(about, f"by OAuth at {issuer}")
