"""Check from outside whether any PDS is set up correctly (``openmeet pds check URL``).

The checks are in ``programs.doctor``. The password of ``--account`` comes from the environment or a prompt, never from
the command line, which other users of the machine can read.
"""

import asyncio
import os
import sys
from dataclasses import asdict

import typer

from groundwork.clock import SystemClock
from programs.command_line import print_json, say, with_count
from programs.doctor.finding import CheckFinding, CheckVerdict
from programs.doctor.target import target
from programs.doctor.walk import CheckOptions, examine

PASSWORD_VARIABLE = "OPENMEET_CHECK_PASSWORD"  # noqa: S105  # a variable's name
_MARKS = {CheckVerdict.GOOD: "ok", CheckVerdict.NOTE: "note", CheckVerdict.WRONG: "WRONG", CheckVerdict.SKIPPED: "–"}


def check(url: str, account: str | None, relay: str | None, plc: str, *, write: bool, as_json: bool) -> None:
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
        say("\nEverything is fine." if not wrong else f"\n{with_count(wrong, 'problem')} to fix.")
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
    if finding.remedy is not None:
        lines.append(f"{'':24}→ {finding.remedy}")
    return lines
