"""The ``openmeet`` command: a table of roles and nouns, of which only the chosen module is imported.

Roles are plain names (``openmeet up``, ``openmeet event-processor``); operators' commands are noun then verb
(``openmeet records inspect``). ``openmeet pds`` is both: without a verb it serves, with a verb (``openmeet pds account
list``) it administers that server. Each module in the table has a Typer application named ``app``. Nothing else is
imported here, so that ``--help`` is quick and a role loads only what it needs: ``programs/roles`` has the options of
roles, which import the rest when they start. Exit status: 0 success, 1 refused, 2 wrong usage.

To add a command, write the module and add its line to the table. A test compares the table with the modules in
``programs/``.
"""

import contextlib
import difflib
import importlib
import os
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from importlib import metadata
from typing import Final

from programs.commands.pds.verbs import VERBS as PDS_VERBS

DONE: Final = 0
REFUSED: Final = 1
MISUSED: Final = 2
_FILE_ADVICE: Final = "Check the path, free space, and that this user may read and write there."

# name -> (module, description)
ROLES: Final[Mapping[str, tuple[str, str]]] = {
    "up": ("programs.roles.up", "The whole network on this machine, in one process"),
    "cluster": (
        "programs.roles.cluster",
        "The whole network as separate processes, with PostgreSQL, RabbitMQ and Redis",
    ),
    "web": ("programs.roles.web", "Pages and API of the events platform"),
    "pds": ("programs.roles.pds", "Aurora Locus, the Personal Data Server; with a verb, administer it"),
    "plc": ("programs.roles.plc", "A did:plc directory for development"),
    "firehose-consumer": ("programs.roles.firehose_consumer", "Read event streams into the queue"),
    "event-processor": ("programs.roles.event_processor", "Apply messages from the queue to the database"),
    "publisher": ("programs.roles.publisher", "Deliver outbox jobs: records, e-mails, accounts"),
    "scheduler": ("programs.roles.scheduler", "Run scheduled tasks"),
}

NOUNS: Final[Mapping[str, tuple[str, str]]] = {
    "calendar": ("programs.commands.calendar", "Show how the importer reads a calendar file"),
    "jobs": ("programs.commands.jobs", "List, retry and delete failed outbox jobs"),
    "export": ("programs.commands.export", "Export a whole site, or one person's data, to a file"),
    "firehose": ("programs.commands.firehose", "Watch an event stream; verify captured frames"),
    "import": ("programs.commands.import_", "Import a file that `openmeet export` wrote"),
    "flags": ("programs.commands.flags", "Switch parts of the synchronisation on and off"),
    "legacy": ("programs.commands.legacy", "Import a database with the older model of recurring events"),
    "lexicon": ("programs.commands.lexicon", "Publish our Lexicons"),
    "matrix": ("programs.commands.matrix", "Connect chat rooms to a Matrix homeserver"),
    "moderation": ("programs.commands.moderation", "Appoint moderators; show the number of open cases"),
    "people": ("programs.commands.people", "Delete people's accounts; apply deletions again after a restore"),
    "pictures": ("programs.commands.pictures", "Move pictures between a folder and a bucket"),
    "places": ("programs.commands.places", "Build the list of towns, add villages and postal codes, look up a name"),
    "proofs": ("programs.commands.proofs", "List and revoke the keys that sign proofs of attendance"),
    "queue": ("programs.commands.queue", "Show what is waiting for the event processor; dead letters"),
    "records": ("programs.commands.records", "Show how calendar records are read"),
    "repo": ("programs.commands.repo", "Verify a repository file"),
    "series": ("programs.commands.series", "Preview a recurrence rule; publish the records of series"),
    "services": ("programs.commands.services", "Credentials of programs that may call this installation"),
    "sync": ("programs.commands.sync", "Status and repair of the synchronisation"),
}

# role -> its verbs, for roles that also have operators' commands
VERBS: Final[Mapping[str, Mapping[str, tuple[str, str]]]] = {"pds": PDS_VERBS}


def help_text() -> str:
    """The output of ``openmeet --help``."""
    width = max(len(name) for name in (*ROLES, *NOUNS)) + 2
    lines = [
        "Usage: openmeet COMMAND [OPTIONS]",
        "",
        "An events platform on the AT Protocol, and a Personal Data Server.",
    ]
    for title, table in (("Start servers and workers", ROLES), ("Administer", NOUNS)):
        if table:
            lines += ["", f"{title}:"]
            lines += [f"  {name:{width}}{what}" for name, (_, what) in table.items()]
    lines += [
        "",
        "Options:",
        "  --version  Show the version.",
        "  --help     Show this help; COMMAND --help shows more.",
    ]
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status. Installed as the console script ``openmeet``."""
    command_line = list(sys.argv[1:] if arguments is None else arguments)
    if not command_line:
        print(help_text(), file=sys.stderr)
        return MISUSED
    command, arguments_of_command = command_line[0], command_line[1:]
    match command:
        case "--help" | "-h" | "help":
            print(help_text())
            return DONE
        case "--version":
            print(f"openmeet {metadata.version('openmeet')}")
            return DONE
    program = ROLES.get(command) or NOUNS.get(command)
    if program is None:
        return _report_unknown_command("openmeet", command, [*ROLES, *NOUNS])
    verbs = VERBS.get(command, {})
    if arguments_of_command and verbs and not arguments_of_command[0].startswith("-"):
        verb = verbs.get(arguments_of_command[0])
        if verb is None:
            return _report_unknown_command(f"openmeet {command}", arguments_of_command[0], list(verbs))
        return _run_command(f"openmeet {command} {arguments_of_command[0]}", verb[0], arguments_of_command[1:])
    with _ending_when_asked() if command in ROLES else contextlib.nullcontext():
        status = _run_command(f"openmeet {command}", program[0], arguments_of_command)
    if verbs and "--help" in arguments_of_command:
        print(verbs_text(command, verbs))
    return status


def verbs_text(role: str, verbs: Mapping[str, tuple[str, str]]) -> str:
    """The list of verbs in a role's help text."""
    width = max(len(name) for name in verbs) + 2
    lines = [f"Administer it (openmeet {role} VERB; VERB --help shows more):"]
    return "\n".join([*lines, *(f"  {name:{width}}{what}" for name, (_, what) in verbs.items())])


def _report_unknown_command(program: str, command: str, names: Sequence[str]) -> int:
    close = difflib.get_close_matches(command, names, n=1)
    hint = f" Did you mean {close[0]}?" if close else ""
    print(f"{program}: there is no command {command!r}.{hint} Try: {program} --help", file=sys.stderr)
    return MISUSED


@contextlib.contextmanager
def _ending_when_asked() -> Iterator[None]:
    """Make SIGINT and SIGTERM end the process at once while a role is being loaded, because nothing is open yet. The
    role's event loop then takes over.
    """
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number in before:
        signal.signal(number, lambda _number, _frame: os._exit(DONE))
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _run_command(name: str, module: str, arguments: list[str]) -> int:
    from programs.command_line import loading  # imported here because --help needs neither this nor the errors

    with loading():
        app = importlib.import_module(module).app
        from groundwork.errors import Failure, Unavailable

    try:
        app(arguments, prog_name=name)
    except SystemExit as finished:  # Typer ends this way, with the status that the command chose
        return finished.code if isinstance(finished.code, int) else REFUSED
    except Failure as failure:
        from openmeet.i18n.reasons.messages import explain  # imported here because only a refusal needs it

        # Visitors see the sentence of a store that is unavailable, so it does not name the cause. Databases and queues
        # raise kinds of their own, whose sentences name it.
        cause = f" Cause: {failure.__cause__}" if type(failure) is Unavailable and failure.__cause__ else ""
        print(f"{name}: {explain(failure.why)}{cause}", file=sys.stderr)
        return REFUSED
    except OSError as failure:
        if failure.filename is None:  # not about a file: a bug, which the traceback helps to find
            raise
        print(f"{name}: {failure.filename}: {failure.strerror}. {_FILE_ADVICE}", file=sys.stderr)
        return REFUSED
    except KeyboardInterrupt:
        return 130  # 128 + SIGINT, as in shells
    return DONE


if __name__ == "__main__":
    sys.exit(main())
