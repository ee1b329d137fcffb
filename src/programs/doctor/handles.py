"""Checks of handles under the server's own domains: each needs DNS, a certificate and a response."""

import secrets
from collections.abc import AsyncIterator

from groundwork.errors import Failure
from programs.doctor.finding import CheckFinding, failed, good, skipped
from programs.doctor.target import CheckedHost


async def handle_domains(host: CheckedHost) -> AsyncIterator[CheckFinding]:
    """Resolve a handle that nobody has. The server itself must say that it does not exist."""
    domains = host.described.get("availableUserDomains")
    for domain in domains if isinstance(domains, list) else []:
        if isinstance(domain, str) and domain.startswith("."):
            yield await _domain(host, domain)


async def _domain(host: CheckedHost, domain: str) -> CheckFinding:
    about = f"handles *{domain}"
    if host.is_own_machine or domain.endswith((".test", ".localhost")):
        return skipped(about, "names of a development network are not on the internet")
    handle = f"nobody-{secrets.token_hex(4)}{domain}"
    try:
        answer = await host.http.get(f"https://{handle}/.well-known/atproto-did")
    except Failure as failure:
        return failed(
            about,
            f"New handles would not work: {failure.why}",
            f"Point *{domain} to the server in DNS, and give the reverse proxy a certificate for it: a wildcard one, "
            "or one made at the first visit (it asks /tls-check first).",
        )
    if answer.status == 404:
        return good(about, "a handle that nobody has does not resolve, as it should be")
    return failed(
        about,
        f"{handle}, which nobody has, answers with status {answer.status}.",
        f"Let the reverse proxy send /.well-known/atproto-did of *{domain} to the PDS with the Host header unchanged.",
    )
