"""List and publish this project's own Lexicons (``openmeet lexicon …``)."""

import os
from pathlib import Path

import typer

from at_network.bearer_session import BearerSession, create_session
from at_network.xrpc_client import XrpcClient
from at_protocol.failures import Malformed
from at_protocol.lexicon.authority import OWN_AUTHORITY
from at_protocol.syntax.at_identifier import parse_at_identifier
from at_protocol.syntax.did import Did
from at_protocol.syntax.handle import Handle
from groundwork.errors import NotFound
from openmeet.network.publishing.lexicons import dns_entries, own_documents, publish
from programs.command_line import print_json, say
from programs.platform import Platform, run_on_platform

_PASSWORD = "OPENMEET_LEXICON_PASSWORD"  # noqa: S105  # the name of a variable


def show(tenant: str, settings_file: Path | None, *, as_json: bool) -> None:
    """List the names under which the Lexicons would be published (OPENMEET_LEXICON_AUTHORITY)."""

    async def act(platform: Platform) -> None:
        names = [str(nsid) for nsid, _ in own_documents(platform.settings.lexicon_authority)]
        if as_json:
            print_json(names)
        else:
            typer.echo("\n".join(names))

    run_on_platform(settings_file, tenant, act)


def publish_all(
    account: str, password_file: Path | None, tenant: str, settings_file: Path | None, *, as_json: bool
) -> None:
    """Write new and changed Lexicons to the account's repository, and print the DNS entries that point to it."""
    name = _parse_account(account)
    password = _password(password_file)

    async def act(platform: Platform) -> None:
        network, authority = platform.network, platform.settings.lexicon_authority
        identity = await network.handles.identities.identify(name)
        pds = identity.document.pds
        if pds is None:
            raise NotFound("The identity of this account names no server.")
        tokens = await create_session(network.http, network.clock, pds, identity.did, password)
        session = BearerSession(network.http, network.clock, pds, tokens)
        client = XrpcClient(network.http, network.clock, pds, credentials=session)
        published = await publish(client, identity.did, authority)
        entries = dns_entries([one.nsid for one in published], identity.did)
        if as_json:
            print_json({"records": [{"uri": one.uri, "changed": one.is_changed} for one in published], "dns": entries})
            return
        for one in published:
            say(f"{'written  ' if one.is_changed else 'unchanged'} {one.uri}")
        if authority == OWN_AUTHORITY:
            say(
                "\nNobody owns the domain of these names, so DNS cannot point here. Set "
                "OPENMEET_LEXICON_AUTHORITY to your domain."
            )
        else:
            say("\nAdd to the DNS zone of your domain:\n  " + "\n  ".join(entries))

    run_on_platform(settings_file, tenant, act)


def _parse_account(account: str) -> Did | Handle:
    try:
        return parse_at_identifier(account.strip().removeprefix("@"))
    except Malformed:
        raise typer.BadParameter("Give the handle or the DID of the account.", param_hint="--account") from None


def _password(file: Path | None) -> str:
    if file is not None:
        return file.read_text(encoding="utf-8").strip()
    password = os.environ.get(_PASSWORD, "")
    return password or str(typer.prompt("Password", hide_input=True))
