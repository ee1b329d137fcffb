"""Manage accounts (``openmeet pds account …``) and release reserved handles (``openmeet pds release-handle HANDLE``)."""

import secrets
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import typer

from at_protocol.failures import Malformed
from at_protocol.syntax.handle import parse_handle
from aurora_locus.accounts import queries
from aurora_locus.moderation import audit_log
from aurora_locus.moderation.roles import ADMINISTRATION, AuditContext, OperatorAction
from aurora_locus.settings import PdsSettings
from groundwork.database.transaction import Database, Writer
from groundwork.errors import Failure, InvalidInput, NotFound, Refused
from programs.command_line import print_json, say, say_table, with_count
from programs.operations.pds.server_access import AdministrationClient, run_on_database, run_on_server
from programs.progress_bars import progress_bars

ADMIN = "com.atproto.admin"
PAGE = 100


def create(
    handle: str, email: str, settings_file: Path | None, url: str, *, password_stdin: bool, as_json: bool
) -> None:
    """Create an account without an invite code. If no password is given, one is generated and shown once."""
    password, is_made = _password(from_input=password_stdin)

    async def act(server: AdministrationClient) -> None:
        body = {"handle": handle, "email": email, "password": password}
        account = await server.procedure("com.atproto.server.createAccount", body)
        shown = {"did": account["did"], "handle": account["handle"]} | ({"password": password} if is_made else {})
        if as_json:
            print_json(shown)
            return
        say_table(shown.items())

    run_on_server(settings_file, url, act)


def list_accounts(email: str, settings_file: Path | None, url: str, *, as_json: bool) -> None:
    """List accounts, ordered by DID."""

    async def show(server: AdministrationClient) -> None:
        accounts = [one async for one in _all_accounts(server, email)]
        if as_json:
            print_json(accounts)
            return
        say_table((one["handle"], one.get("email", "–"), one["did"]) for one in accounts)
        if not accounts:
            say("There are no accounts." if not email else f"No e-mail address contains “{email}”.")

    run_on_server(settings_file, url, show)


def show(identifier: str, settings_file: Path | None, url: str, *, as_json: bool) -> None:
    """Show an account and the moderation decisions about it."""

    async def look(server: AdministrationClient) -> None:
        did = await _find_account(server, identifier)
        account = await server.query(f"{ADMIN}.getAccountInfo", {"did": did})
        decided = await server.query(f"{ADMIN}.getSubjectStatus", {"did": did})
        hosting = await server.query("com.atproto.sync.getRepoStatus", {"did": did})
        account["takedown"] = decided.get("takedown", {})
        account["status"] = "active" if hosting["active"] else hosting.get("status", "inactive")
        if as_json:
            print_json(account)
            return
        say_table(_shown(account))

    run_on_server(settings_file, url, look)


_LABELS = {
    "did": "DID",
    "handle": "handle",
    "email": "e-mail",
    "emailConfirmedAt": "e-mail confirmed",
    "status": "status",
    "indexedAt": "created",
    "deactivatedAt": "deactivated",
}


def _shown(account: Mapping[str, Any]) -> list[tuple[str, str]]:
    rows = [(label, str(account[name])) for name, label in _LABELS.items() if name in account]
    if account["takedown"].get("ref"):
        rows.append(("taken down under", account["takedown"]["ref"]))
    codes = with_count(len(account.get("invites", [])), "code")
    return [*rows, ("invites", f"{codes}, gets no new ones" if account.get("invitesDisabled") else codes)]


def reset_password(
    identifier: str, settings_file: Path | None, url: str, *, password_stdin: bool, by_email: bool, as_json: bool
) -> None:
    """Set a new password and end all sessions of the account. If no password is given, one is generated and shown once."""
    password, is_made = ("", False) if by_email else _password(from_input=password_stdin)

    async def act(server: AdministrationClient) -> None:
        did = await _find_account(server, identifier)
        shown: dict[str, object] = {"did": did}
        if by_email:
            account = await server.query(f"{ADMIN}.getAccountInfo", {"did": did})
            if "email" not in account:
                raise Refused(f"{identifier} has no e-mail address.")
            await server.procedure("com.atproto.server.requestPasswordReset", {"email": account["email"]})
            shown["sent"] = True
        else:
            await server.procedure(f"{ADMIN}.updateAccountPassword", {"did": did, "password": password})
            shown |= {"password": password} if is_made else {}
        if as_json:
            print_json(shown)
        elif by_email:
            say("An e-mail with a code is on its way.")
        else:
            say(f"{identifier} has a new password{f': {password}' if is_made else ''}")

    run_on_server(settings_file, url, act)


def takedown(identifiers: list[str], reference: str, settings_file: Path | None, url: str, *, as_json: bool) -> None:
    """Take accounts down, so that none of their data is served. Their owners can still export it and move away."""
    decision = {"applied": True} | ({"ref": reference} if reference else {})
    _each(identifiers, ("taking down", "taken down"), settings_file, url, _decide(decision), as_json=as_json)


def restore(identifiers: list[str], settings_file: Path | None, url: str, *, as_json: bool) -> None:
    """Lift the takedown of accounts."""
    _each(identifiers, ("restoring", "restored"), settings_file, url, _decide({"applied": False}), as_json=as_json)


def delete(identifiers: list[str], settings_file: Path | None, url: str, *, yes: bool, as_json: bool) -> None:
    """Delete accounts permanently, with all their data."""
    if not yes:
        if not sys.stdin.isatty():
            raise Refused("A deleted account can't be restored. Add --yes to delete it without confirmation.")
        typer.confirm(f"Delete {', '.join(identifiers)} for good?", abort=True)

    async def act(server: AdministrationClient, did: str) -> None:
        await server.procedure(f"{ADMIN}.deleteAccount", {"did": did})

    _each(identifiers, ("deleting", "deleted"), settings_file, url, act, as_json=as_json)


def _decide(takedown: Mapping[str, object]) -> Callable[[AdministrationClient, str], Awaitable[None]]:
    async def act(server: AdministrationClient, did: str) -> None:
        subject = {"$type": f"{ADMIN}.defs#repoRef", "did": did}
        await server.procedure(f"{ADMIN}.updateSubjectStatus", {"subject": subject, "takedown": takedown})

    return act


def _each(
    identifiers: list[str],
    what: tuple[str, str],
    settings_file: Path | None,
    url: str,
    act: Callable[[AdministrationClient, str], Awaitable[None]],
    *,
    as_json: bool,
) -> None:
    """Run an action, named in both tenses, for every account. Failures do not stop the others and are listed at the
    end.
    """
    doing, done = what

    async def run(server: AdministrationClient) -> None:
        accounts: list[dict[str, str]] = []
        failed: list[dict[str, str]] = []
        with progress_bars(is_shown=not as_json and len(identifiers) > 1) as on_progress:
            for number, identifier in enumerate(identifiers, 1):
                try:
                    did = await _find_account(server, identifier)
                    await act(server, did)
                    accounts.append({"account": identifier, "did": did})
                except Failure as failure:
                    failed.append({"account": identifier, "why": str(failure.why)})
                on_progress(doing, number, len(identifiers))
        if as_json:
            print_json({"done": accounts, "failed": failed})
        else:
            say(f"{with_count(len(accounts), 'account')} {done}")
            for one in failed:
                say(f"{one['account']}: {one['why']}", err=True)
        if failed:
            raise typer.Exit(1)

    run_on_server(settings_file, url, run)


async def _find_account(server: AdministrationClient, identifier: str) -> str:
    """The DID of an account with any status. Raises NotFound."""
    text = identifier.strip().lower()
    if text.startswith("did:"):
        return identifier.strip()
    name, part = ("email", text) if "@" in text.lstrip("@") else ("handle", "")
    value = text if name == "email" else text.removeprefix("@")
    # Handles of inactive accounts do not resolve, but the administration API lists all of them.
    async for one in _all_accounts(server, part):
        if one.get(name) == value:
            return str(one["did"])
    raise NotFound(f"There is no account {identifier} on this server.")


async def _all_accounts(server: AdministrationClient, email: str) -> AsyncIterator[dict[str, Any]]:
    cursor: dict[str, str] = {}
    while True:
        page = await server.query(f"{ADMIN}.searchAccounts", {"email": email, "limit": PAGE, **cursor})
        for one in page["accounts"]:
            yield one
        if "cursor" not in page:
            return
        cursor = {"cursor": page["cursor"]}


def _password(*, from_input: bool) -> tuple[str, bool]:
    """The password, and whether it was generated. Passwords are never arguments, because other users of the machine can
    see those.
    """
    if not from_input:
        return secrets.token_urlsafe(15), True
    line = sys.stdin.readline().rstrip("\r\n")
    if not line:
        raise InvalidInput("password", "The first line of input contains no password.")
    return line, False


# People with access to the server's files have no user name on the server, so this name is logged.
DEED = AuditContext(ADMINISTRATION, "openmeet pds release-handle")


def release_handle(handle: str, settings_file: Path | None) -> None:
    """Make a handle available to anybody before PDS_HANDLE_QUARANTINE has passed since its owner gave it up."""
    try:
        name = parse_handle(handle.strip().removeprefix("@").lower())
    except Malformed as error:
        raise typer.BadParameter(f"{handle} is not a handle: {error.why}.") from None

    async def run(db: Database, _settings: PdsSettings) -> None:
        def release(w: Writer) -> None:
            former = queries.free_handle(w, name)
            if former is None:
                raise NotFound(f"{name} is not reserved for anybody.")
            audit_log.append(w, DEED, OperatorAction.RELEASE_HANDLE, former, before={"handle": name})

        await db.write(release)
        say(f"{name} can be taken now.")

    run_on_database(settings_file, run)
