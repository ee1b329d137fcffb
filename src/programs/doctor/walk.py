"""All checks in their order. A check that depends on a failed one is skipped and reported as skipped."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from programs.doctor import address, handles, relays, repositories, stream, writing
from programs.doctor.finding import CheckFinding, CheckVerdict, skipped
from programs.doctor.target import CheckedHost


@dataclass(frozen=True, slots=True)
class CheckOptions:
    """Options for more than the public checks. With a password, a record is written and deleted."""

    account: str | None = None
    password: str | None = field(default=None, repr=False)
    relay: str | None = None


async def examine(host: CheckedHost, options: CheckOptions) -> AsyncIterator[CheckFinding]:
    """Yield the findings as they are made."""
    reached = False
    async for finding in address.check_reachable(host):
        reached = reached or (finding.about == "address" and finding.verdict is CheckVerdict.GOOD)
        yield finding
    if not reached:
        yield skipped("everything else", "the server cannot be reached")
        return
    async for finding in address.check_description(host):
        yield finding
    if not host.described:
        yield skipped("everything else", "the server does not answer as a PDS")
        return
    async for finding in address.sign_in(host):
        yield finding
    async for finding in handles.handle_domains(host):
        yield finding
    async for finding in _accounts(host, options):
        yield finding
    async for finding in stream.check_firehose(host):
        yield finding
    if options.account is not None and options.password is not None:
        async for finding in writing.check_writing(host, options.account, options.password):
            yield finding
    if options.relay is not None:
        async for finding in relays.read_by(host, options.relay):
            yield finding


async def _accounts(host: CheckedHost, options: CheckOptions) -> AsyncIterator[CheckFinding]:
    if options.account is not None:
        async for finding in repositories.check_account(host, options.account):
            yield finding
    async for finding in repositories.check_enumeration(host):
        yield finding
    async for finding in repositories.check_accounts(host):
        yield finding
