"""Prints the tour: each step, what was sent, what was received, and whether it is as expected."""

import json
import sys
import time
from collections.abc import Mapping

from rich.console import Console

_SHOWN = 220


class NotAsItShouldBe(AssertionError):
    """A step of the tour did not go as expected. The message says which expectation failed."""


def shortened(value: object) -> str:
    """One line of something sent or received."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    text = " ".join(text.split())
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"


class Narrator:
    """Prints the steps and counts the expectations that were met."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(file=sys.stdout, highlight=False, soft_wrap=True)
        self._started = time.monotonic()
        self.held = 0

    def step(self, number: int, title: str) -> None:
        self._console.print(f"\n[bold]{number}. {title}[/bold]  [dim]({time.monotonic() - self._started:.1f} s)[/dim]")

    def say(self, sentence: str) -> None:
        self._console.print(f"   {sentence}", markup=False)

    def sent(self, what: str, body: object = None) -> None:
        self._console.print(f"   [cyan]→[/cyan] {_plain(what)}" + (f"  {_plain(shortened(body))}" if body else ""))

    def got(self, what: object) -> None:
        self._console.print(f"   [cyan]←[/cyan] {_plain(shortened(what))}")

    def expect(self, holds: object, sentence: str, found: object = "") -> None:
        """Continue if the condition holds. Otherwise stop the tour with the sentence and the actual value."""
        if not holds:
            self._console.print(f"   [red]✗ {_plain(sentence)}[/red]  {_plain(shortened(found))}")
            raise NotAsItShouldBe(sentence)
        self.held += 1
        self._console.print(f"   [green]✓[/green] {_plain(sentence)}")

    def table(self, rows: Mapping[str, str]) -> None:
        width = max(map(len, rows), default=0) + 2
        for name, text in rows.items():
            self._console.print(f"     {name:{width}}{text}", markup=False)

    def end(self) -> None:
        seconds = time.monotonic() - self._started
        self._console.print(f"\n[bold green]All {self.held} checks passed[/bold green] in {seconds:.0f} s")


def _plain(text: str) -> str:
    return text.replace("[", r"\[")
