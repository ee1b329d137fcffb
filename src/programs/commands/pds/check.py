"""``openmeet pds check URL``: check from outside whether any PDS is set up correctly.

The checks are in ``programs.doctor``. The password of ``--account`` comes from the environment or a prompt, never from
the command line, which other users of the machine can read.
"""

import asyncio
import os
import sys
from dataclasses import asdict
from typing import Annotated

import typer

from groundwork.clock import SystemClock
from programs.command_line import AsJson, print_json, role, say
from programs.doctor.finding import CheckFinding, CheckVerdict
from programs.doctor.target import PUBLIC_DIRECTORY, target
from programs.doctor.walk import CheckOptions, examine

app = role()

PASSWORD_VARIABLE = "OPENMEET_CHECK_PASSWORD"  # noqa: S105  # a variable's name

_MARKS = {CheckVerdict.GOOD: "ok", CheckVerdict.NOTE: "note", CheckVerdict.WRONG: "WRONG", CheckVerdict.SKIPPED: "–"}


@app.command()
def main(
    url: Annotated[str, typer.Argument(help="The server: https://pds.example.org, or only its host name.")],
    account: Annotated[
        str | None, typer.Option(help="Check this account (handle or DID) instead of the first ones listed.")
    ] = None,
    write: Annotated[
        bool,
        typer.Option(
            "--write",
            help=f"As --account, write a record, wait for it on the firehose, delete it. Password: {PASSWORD_VARIABLE}, or asked for.",
        ),
    ] = False,
    relay: Annotated[
        str | None, typer.Option(help="Also ask this relay about the server: https://bsky.network.")
    ] = None,
    plc: Annotated[str, typer.Option(help="The directory of did:plc identities.")] = PUBLIC_DIRECTORY,
    as_json: AsJson = False,
) -> None:
    """Check a server the way relays, other servers and apps see it, and report what is wrong and how to fix it.

    Exits with 1 if anything is wrong.
    """
    if write and account is None:
        raise typer.BadParameter("--write needs --account, because the record has to be written to an account.")
    password = _password(account) if write and account is not None else None
    findings = asyncio.run(_examine(url, CheckOptions(account, password, relay), plc, as_json=as_json))
    wrong = sum(finding.verdict is CheckVerdict.WRONG for finding in findings)
    if as_json:
        print_json({"url": url, "ok": not wrong, "findings": [asdict(finding) for finding in findings]})
    else:
        say("\nEverything is fine." if not wrong else f"\n{wrong} to fix.")
    if wrong:
        raise typer.Exit(1)


def _password(account: str) -> str:
    password = os.environ.get(PASSWORD_VARIABLE)
    if password:
        return password
    if not sys.stdin.isatty():
        raise typer.BadParameter(
            f"--write needs the account's password, and there is no terminal to ask for it: set {PASSWORD_VARIABLE}."
        )
    return str(typer.prompt(f"Password of {account}", hide_input=True))


async def _examine(url: str, options: CheckOptions, plc: str, *, as_json: bool) -> list[CheckFinding]:
    findings: list[CheckFinding] = []
    async with target(url, SystemClock(), directory_url=plc) as host:
        async for finding in examine(host, options):
            findings.append(finding)
            if not as_json:
                for line in lines_of(finding):
                    say(line)
    return findings


def lines_of(finding: CheckFinding) -> list[str]:
    """The lines that show a finding in the terminal."""
    lines = [f"{_MARKS[finding.verdict]:6}{finding.about:16}  {finding.found}"]
    if finding.mend is not None:
        lines.append(f"{'':24}→ {finding.mend}")
    return lines
