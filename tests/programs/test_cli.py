"""The ``openmeet`` command: its speed, its help, and its exit statuses."""

import gc
import importlib
import pkgutil
import re
import subprocess
import sys
import types
from pathlib import Path

import pytest
import typer
from tests.external_dependencies import ROOT

import programs
import programs.commands
import programs.commands.pds
import programs.roles
from groundwork.errors import Refused, Unavailable
from programs import cli

TABLE = {**cli.ROLES, **cli.NOUNS}
VERBS = {f"{role} {verb}": entry for role, verbs in cli.VERBS.items() for verb, entry in verbs.items()}


def openmeet(*arguments: str, python: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *python, "-m", "programs.cli", *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT / "src",
    )


def test_help_lists_every_command():
    done = openmeet("--help")
    assert done.returncode == 0
    for name, (_, what) in TABLE.items():
        assert name in done.stdout
        assert what in done.stdout


def test_help_imports_nothing_heavy():
    """``--help`` takes less than 0.3 s and imports neither Typer nor a server nor a database."""
    done = openmeet("--help", python=("-X", "importtime"))
    loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if line.startswith("import time:")}
    assert not loaded & {"typer", "asyncio", "aiohttp", "starlette", "sqlalchemy", "groundwork", "at_protocol"}


@pytest.mark.parametrize("name", [*cli.ROLES, "flags", "jobs", "sync"])
def test_help_imports_no_server_and_no_database(name):
    done = openmeet(name, "--help", python=("-X", "importtime"))
    loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if line.startswith("import time:")}
    assert done.returncode == 0
    assert not loaded & {"starlette", "uvicorn", "groundwork.database.transaction", "openmeet.app", "aurora_locus.app"}


def test_the_version_is_printed():
    done = openmeet("--version")
    assert done.returncode == 0
    assert done.stdout.startswith("openmeet 0.")


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["no-such-role"],
        ["--no-such-option"],
        ["records", "--no-such-option"],
        ["records", "inspect", "no-such-file.json"],
        ["repo", "verify", "no-such-file.car"],
        ["up", "somewhere"],
    ],
)
def test_misuse_has_exit_status_2(arguments, capsys):
    assert cli.main(arguments) == 2
    assert capsys.readouterr().err


def test_misspelt_name_gets_a_suggestion(capsys):
    assert cli.main(["recrods"]) == 2
    assert "Did you mean records?" in capsys.readouterr().err


@pytest.mark.parametrize("name", [*TABLE, *VERBS])
def test_every_entry_is_a_typer_application_with_help(name, capsys):
    assert isinstance(importlib.import_module({**TABLE, **VERBS}[name][0]).app, typer.Typer)
    assert cli.main([*name.split(), "--help"]) == 0
    shown = capsys.readouterr().out
    assert f"openmeet {name}" in shown
    # Rich would replace an emoji code such as ``:key:`` in ``did:key:`` by a picture.
    assert [character for character in shown if ord(character) >= 0x1F300] == []
    # Options without a value have no type.
    assert re.findall(r"<bool>|<list.*", shown) == []


def test_options_load_no_server():
    """The modules with the options of commands load neither a server nor what talks to databases and other servers, so
    that help and wrong options are answered at once.
    """
    modules = [module for module, _ in (*cli.NOUNS.values(), *VERBS.values())]
    script = "import importlib, sys; [*map(importlib.import_module, sys.argv[1:])]; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", script, *modules], check=True, capture_output=True, text=True, cwd=ROOT / "src"
    ).stdout
    heavy = {
        "aiohttp",
        "aurora_locus",
        "asyncpg",
        "at_network",
        "openmeet.network",
        "programs.platform",
        "rich.progress",
    }
    assert heavy & set(loaded.split()) == set()


@pytest.mark.parametrize("name", cli.ROLES)
def test_role_is_one_command(name, capsys):
    """A role is one command: its usage lists no subcommands, and no option changes the user's shell."""
    assert cli.main([name, "--help"]) == 0
    shown = capsys.readouterr().out
    assert f"openmeet {name} [OPTIONS]" in shown
    assert "COMMAND" not in shown
    assert "completion" not in shown


@pytest.mark.parametrize(("setting", "value"), [("OPENMEET_LOG_FORMAT", "xml"), ("OPENMEET_LOG_LEVEL", "loud")])
def test_unknown_log_setting_is_refused_with_a_sentence(setting, value, monkeypatch, capsys):
    monkeypatch.setenv(setting, value)
    assert cli.main(["up", "--ephemeral"]) == 1
    said = capsys.readouterr().err
    assert said.startswith(f"openmeet up: {setting} must be one of ")
    assert "Traceback" not in said


def test_every_application_has_an_entry():
    """Every application has an entry in the table, so that it can be started."""
    modules = [
        *(f"programs.{found.name}" for found in pkgutil.iter_modules(programs.__path__)),
        *(f"programs.roles.{found.name}" for found in pkgutil.iter_modules(programs.roles.__path__)),
        *(f"programs.commands.{found.name}" for found in pkgutil.iter_modules(programs.commands.__path__)),
        *(f"programs.commands.pds.{found.name}" for found in pkgutil.iter_modules(programs.commands.pds.__path__)),
    ]
    applications = {
        name for name in modules if isinstance(getattr(importlib.import_module(name), "app", None), typer.Typer)
    }
    assert applications == {module for module, _ in (*TABLE.values(), *VERBS.values())}


def run_app(monkeypatch, command) -> int:
    app = typer.Typer()
    app.command()(command)
    module = types.ModuleType("programs.commands.sample")
    module.app = app  # type: ignore[attr-defined]  # set by the test
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setattr(cli, "NOUNS", {"records": (module.__name__, "A sample")})
    return cli.main(["records"])


def test_a_command_runs_with_the_garbage_collector_on(monkeypatch):
    """A command runs with the garbage collector on. It is off only during the imports; a role that kept it off would
    grow for months.
    """
    seen = []
    assert run_app(monkeypatch, lambda: seen.append(gc.isenabled())) == 0
    assert seen == [True]


def test_role_without_a_verb_serves(monkeypatch, capsys):
    """``openmeet pds`` serves and ``openmeet pds count`` counts; a misspelt verb serves nothing."""
    module, role = types.ModuleType("programs.commands.pds.sample"), types.ModuleType("programs.sample_role")
    module.app, role.app = typer.Typer(), typer.Typer()  # type: ignore[attr-defined]  # set by the test
    module.app.command()(lambda: typer.echo("counted"))
    role.app.command()(lambda: typer.echo("served"))
    for one in (module, role):
        monkeypatch.setitem(sys.modules, one.__name__, one)
    monkeypatch.setattr(cli, "ROLES", {"pds": (role.__name__, "A sample")})
    monkeypatch.setattr(cli, "VERBS", {"pds": {"count": (module.__name__, "Counts")}})
    assert cli.main(["pds"]) == 0
    assert capsys.readouterr().out == "served\n"
    assert cli.main(["pds", "count"]) == 0
    assert capsys.readouterr().out == "counted\n"
    assert cli.main(["pds", "coutn"]) == 2
    assert capsys.readouterr().err == (
        "openmeet pds: there is no command 'coutn'. Did you mean count? Try: openmeet pds --help\n"
    )
    assert cli.main(["pds", "--help"]) == 0
    assert "  count  Counts" in capsys.readouterr().out


def test_success_has_exit_status_0_and_refusal_1(monkeypatch, capsys):
    def fine() -> None:
        """Does nothing and succeeds."""

    def refuse() -> None:
        raise Refused("PDS_DEV_MODE does not go with a public host name.")

    def fail_at_file() -> None:
        Path("/dev/null/folder").mkdir()

    def fail_at_store() -> None:
        raise Unavailable("The blob cannot be stored at the moment.") from OSError(28, "No space left", "/srv/blobs/x")

    def leave() -> None:
        raise typer.Exit(1)

    def interrupt() -> None:
        raise KeyboardInterrupt

    assert run_app(monkeypatch, fine) == 0
    assert run_app(monkeypatch, refuse) == 1
    assert capsys.readouterr().err == "openmeet records: PDS_DEV_MODE does not go with a public host name.\n"
    assert run_app(monkeypatch, fail_at_file) == 1
    assert capsys.readouterr().err == (
        "openmeet records: /dev/null/folder: Not a directory. "
        "Check the path, free space, and that this user may read and write there.\n"
    )
    assert run_app(monkeypatch, fail_at_store) == 1
    assert capsys.readouterr().err == (
        "openmeet records: The blob cannot be stored at the moment. Cause: [Errno 28] No space left: '/srv/blobs/x'\n"
    )
    assert run_app(monkeypatch, leave) == 1
    assert run_app(monkeypatch, interrupt) == 130
