"""Settings shared by all Typer applications here: no shell completion is installed, and a bug shows a plain traceback.

``role`` makes an application that starts immediately, ``noun`` one that needs a verb. Without a verb it shows its help.
"""

import gc
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, TypeVar

import msgspec
import typer
from rich.filesize import decimal
from typer.core import TyperCommand, TyperGroup, TyperOption

from groundwork.clock import Instant, to_datetime

_ACTS_ON_TERMINALS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")

_Choice = TypeVar("_Choice", bound=StrEnum)

SettingsFile = Annotated[Path | None, typer.Option("--settings", help="TOML file with a table for this program.")]
OfTenant = Annotated[str, typer.Option("--tenant", help="The community, by its name in the settings file.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document, for programs.")]


class _HasPlainFlags:
    """The help shows the type of one value, and none for options without a value: not ``--json <bool>``."""

    # Typer does not export the types of its copy of Click.
    def get_params(self, ctx: Any) -> list[Any]:
        parameters: list[Any] = super().get_params(ctx)  # type: ignore[misc]
        for option in parameters:
            if isinstance(option, TyperOption) and (option.is_flag or option.multiple):
                option.metavar = "" if option.is_flag else "<str>"
        return parameters


class _Command(_HasPlainFlags, TyperCommand):
    pass


class _Group(_HasPlainFlags, TyperGroup):
    pass


class _Application(typer.Typer):
    def command(self, name: str | None = None, **settings: Any) -> Any:
        return super().command(name, cls=_Command, **settings)


def role() -> typer.Typer:
    """Make the command of a role. Its module adds one command, which takes the options itself."""
    return _Application(add_completion=False, pretty_exceptions_enable=False)


@contextmanager
def loading() -> Iterator[None]:
    """Import with the garbage collector off. It would scan the imported modules again and again, though they are never
    freed.

    That took a fifth of the processor time that a role needs to start.
    """
    gc.disable()
    try:
        yield
        gc.freeze()
    finally:
        gc.enable()


def noun(what: str) -> typer.Typer:
    """Make the command of a noun. Its module adds the verbs."""
    app = _Application(
        cls=_Group, help=what, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False
    )
    # The callback makes Typer require the verb even if there is only one: `openmeet repo verify`.
    app.callback()(_nothing_of_its_own)
    return app


def one_of(choices: type[_Choice], hint: str | None = None) -> Callable[[str], _Choice]:
    """A parser for one of these values. Without it, Typer prints its error with “Value error,” in front. ``hint``: the
    name of the option, if Typer does not call the parser itself.
    """

    def parse(text: str) -> _Choice:
        if text not in set(choices):
            raise typer.BadParameter(f"{text!r} is not one of {', '.join(choices)}.", param_hint=hint)
        return choices(text)

    return parse


def print_json(value: object) -> None:
    """Print the single JSON document of ``--json`` on one line."""
    typer.echo(msgspec.json.encode(value))


def with_count(number: int, one: str, many: str = "") -> str:
    """A number with its noun. ``many``: the plural, if it is not formed with an s."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def with_size(size: int) -> str:
    """A number of bytes as a person reads it, with the exact number if that differs: ``1.2 MB (1,234,567 bytes)``."""
    exact = with_count(size, "byte")
    return exact if size < 1000 else f"{decimal(size)} ({exact})"


def with_path(path: str | Path) -> str:
    """Return a path as one would type it here: relative if it is below the current folder, otherwise absolute."""
    relative = os.path.relpath(path)
    return str(Path(path).resolve()) if relative.startswith(os.pardir) else relative


def say_counts(counts: Mapping[str, int]) -> None:
    """Print numbers below each other, each with its noun."""
    width = max(12, *(len(f"{number:,}") for number in counts.values()))
    for noun, number in counts.items():
        say(f"{number:>{width},}  {noun}")


def say_table(rows: Iterable[Sequence[str | int]]) -> None:
    """Print rows in columns as wide as their content. Numbers get separators and are aligned on the right."""
    kept = list(rows)
    texts = [[f"{cell:,}" if isinstance(cell, int) else cell for cell in row] for row in kept]
    widths = [max(map(len, column)) for column in zip(*texts, strict=True)]
    for row, shown in zip(kept, texts, strict=True):
        cells = [
            text.rjust(width) if isinstance(cell, int) else text.ljust(width)
            for cell, text, width in zip(row, shown, widths, strict=True)
        ]
        say("  ".join(cells).rstrip())


def format_instant(instant: Instant) -> str:
    return to_datetime(instant).astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def say(text: str, *, err: bool = False) -> None:
    """Print untrusted text without control characters, which could change the terminal.

    Line breaks stay. Marks that change the direction of writing are removed, too.
    """
    typer.echo(_ACTS_ON_TERMINALS.sub("\ufffd", text), err=err)


def _nothing_of_its_own() -> None:
    return
