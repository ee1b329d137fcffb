"""Delete people's accounts, and again after a restore (``openmeet people …``)."""

import asyncio
from collections.abc import Mapping
from pathlib import Path

import typer

from groundwork.clock import SECOND
from groundwork.errors import NotFound, Refused, Unavailable
from openmeet.domain.chat.matrix_people import is_withdrawing
from openmeet.domain.erasure import account_rows, actions
from openmeet.domain.erasure.actions import preview_deletion
from openmeet.domain.erasure.model import ErasureReport
from openmeet.domain.identities import queries as identity_queries
from openmeet.domain.personal_data.tables import TABLES, tables_with_remaining_rows
from openmeet.domain.users import guests
from openmeet.domain.users.model import User, UserId, UserKind
from openmeet.i18n.formatting import iso
from openmeet.network.ingestion.person_erasure import discard_files
from openmeet.network.ingestion.person_erasure import erase as erase_person
from openmeet.network.ingestion.person_erasure import erase_again as erase_people_again
from programs.command_line import print_json, say, with_count
from programs.person_erasing import person_erasing
from programs.platform import Platform, run_on_platform


def erase(who: str, wait: int, tenant: str, settings_file: Path | None, *, now: bool, yes: bool, as_json: bool) -> None:
    """Delete an account, either after the grace period or now. Shows who it is and asks for confirmation, then prints
    what was deleted, what stays, and why.

    Guests and people known only from the network have no account that could be kept, so they need --now.
    """

    async def act(platform: Platform) -> None:
        async with platform.db.reader() as reader:
            person = await actions.find(reader, who)
        if person is None or person.created_at == 0:
            raise NotFound(f"Nobody here has the e-mail address, handle or DID {who}, or they were deleted already.")
        if person.kind is UserKind.SHADOW and not now:
            raise Refused(
                f"{who} has no account here that they could keep by signing in, so there is no grace period."
                " Add --now to delete everything that is known about them."
            )
        if not yes:
            await _confirm(platform, person, now=now, as_json=as_json)
        # The scheduler leaves the request alone while this command waits for account servers.
        grace = int((wait if now else platform.settings.erasure_grace) * SECOND)
        deletion_request = await actions.begin(platform.db, person.id, grace)
        if not now:
            due = iso(deletion_request.due_at)
            if as_json:
                print_json({"userId": person.id, "dueAt": due})
            else:
                say(f"{who} is hidden now and will be deleted at {due}, unless they sign in before then")
            return
        erasing = person_erasing(platform)
        try:
            await actions.end(platform.db, deletion_request)
            await _wait_for_records(platform, person.id, wait)
            report = await erase_person(platform.db, erasing, person.id)
        except Unavailable as failure:
            raise Unavailable(
                f"{failure.why} The deletion of {who} has begun, and they are hidden: the scheduler continues within ten"
                " minutes. Or run this command again."
            ) from failure
        if report is None:
            raise Refused(f"{who} has signed in and keeps the account, or was deleted by the scheduler.")
        async with platform.db.reader() as reader:
            stays = await account_rows.remaining_references(reader, person.id)
        _print(who, report, stays, as_json=as_json)
        await discard_files(platform.db, erasing)

    run_on_platform(settings_file, tenant, act)


def erase_again(tenant: str, settings_file: Path | None) -> None:
    """After a restore, delete everybody in the ledger again. Requests from before the backup get a new grace period,
    because those people may have signed in since.
    """

    async def act(platform: Platform) -> None:
        erasing = person_erasing(platform)
        erased = await erase_people_again(platform.db, erasing, int(platform.settings.erasure_grace * SECOND))
        listed = with_count(len(erasing.ledger.people()), "person", "people")
        typer.echo(f"{listed} in the ledger, {erased.erased} of them deleted again, {erased.merged} merged again")
        requests = with_count(erased.postponed, "request")
        typer.echo(f"{requests} from before the backup: with a new grace period")
        typer.echo(
            f"{with_count(erased.requested, 'request')} from after the backup: requested again, with a new grace period"
        )
        typer.echo(f"{with_count(erased.withdrawn, 'request')} withdrawn after the backup: withdrawn again")
        newest = erasing.ledger.newest()
        written = "empty" if newest is None else f"last written {newest:%Y-%m-%d %H:%M} UTC"
        say(
            f"Ledger {erasing.ledger.path}, {written}. If it was restored with the backup, replace it by the "
            "newer ledger and run this command again."
        )
        if erased.failed:
            typer.echo(
                "These could not be deleted or merged again. Fix the causes, which are in the log, and run this "
                "command again:",
                err=True,
            )
            for user_id in erased.failed:
                say(f"  {user_id}", err=True)
            raise typer.Exit(1)

    run_on_platform(settings_file, tenant, act)


async def _confirm(platform: Platform, person: User, *, now: bool, as_json: bool) -> None:
    """Show who will be deleted and ask for confirmation, because a handle may have had another owner when it was last
    read. Raises Refused unless the answer is yes.
    """
    if as_json:
        raise Refused("With --json, there is no confirmation. First check who it is without --json, then add --yes.")
    async with platform.db.reader() as reader:
        accounts = await identity_queries.of_user(reader, person.id)
        guest = await guests.find(reader, person.id)
        preview = await preview_deletion(reader, person.id, 0)
    kind = (
        "guest" if guest is not None else "person" if person.kind is UserKind.PERSON else "known only from the network"
    )
    say(f"{person.display_name or 'No name'} ({kind}, here since {iso(person.created_at)[:10]})")
    email = person.email or (guest.email if guest is not None else None)
    say(f"  e-mail    {_masked(email) if email else 'none'}")
    for account in accounts:
        say(f"  account   {account.did}  @{account.handle or 'handle unknown'}")
    hosted = len(preview.events) + preview.more_events
    say(
        f"  has       {with_count(hosted, 'upcoming event')}, {with_count(preview.answers, 'answer')} to upcoming events,"
        f" {with_count(preview.memberships, 'membership')}, "
        f"{with_count(preview.groups_passed + preview.groups_deleted, 'own group')}, "
        f"{with_count(preview.records, 'record')} in account servers"
    )
    question = "Delete all their data now? This cannot be undone" if now else "Hide and delete this account"
    try:
        is_meant = typer.confirm(question)
    except typer.Abort:
        is_meant = False  # there is no terminal, or Ctrl-C was pressed
    if not is_meant:
        raise Refused("Nothing was deleted. To delete without confirmation, add --yes.")


def _masked(email: str) -> str:
    """Enough of an address to recognise it by. Terminal logs must not contain the whole address."""
    name, _, domain = email.rpartition("@")
    return f"{name[:1]}…@{domain}"


async def _wait_for_records(platform: Platform, user_id: UserId, seconds: int) -> None:
    """Wait until the publisher has retracted the person's records and their messages are removed from Matrix. The
    report lists records that are left.
    """
    for _ in range(seconds):
        async with platform.db.reader() as reader:
            if not await actions.undeleted_records(reader, user_id) and not await is_withdrawing(reader, user_id):
                return
        await asyncio.sleep(1)


def _print(who: str, report: ErasureReport, stays: Mapping[str, int], *, as_json: bool) -> None:
    # Rows in these tables belong to no particular person and cannot be counted per person, so this lists only the
    # tables.
    elsewhere = [table for table in tables_with_remaining_rows() if table.name not in stays]
    if as_json:
        print_json(
            {
                "deleted": dict(report.deleted),
                "stays": dict(stays),
                "notByPerson": {table.name: table.after_deletion for table in elsewhere},
                "recordsLeft": list(report.left),
                "accountsToDelete": list(report.accounts),
                "isAtHomeserver": report.is_at_homeserver,
            }
        )
        return
    say(f"{who} is deleted.")
    _print_rows("Deleted, or emptied:", report.deleted)
    _print_rows("Stays, but refers to an empty row instead of a person:", stays)
    for account in report.accounts:
        say(f"Their custodial account {account} is deleted by a job. If the job fails, openmeet jobs list shows it.")
    if report.is_at_homeserver:
        typer.echo(
            "The Matrix homeserver still has their messages. A job removes them as soon as the homeserver answers:"
            " openmeet jobs list shows it (matrix_person)."
        )
    if report.left:
        typer.echo(
            "Records that their account server did not delete. Only the owner of the account can delete them, "
            "there or in an app:"
        )
        for uri in report.left:
            say(f"  {uri}")
    typer.echo("Tables that were not searched, because their rows do not belong to single persons:")
    for table in elsewhere:
        typer.echo(f"  {table.name}: {_first_sentence(table.name)}: {table.after_deletion}")
    typer.echo("docs/privacy.md describes each table: what it stores, why, and how long.")


def _print_rows(heading: str, rows: Mapping[str, int]) -> None:
    typer.echo(heading)
    for name, number in sorted(rows.items()):
        typer.echo(f"  {number:6}  {name}: {_first_sentence(name)}")


def _first_sentence(table: str) -> str:
    return TABLES[table].holds.partition(". ")[0].rstrip(".")
