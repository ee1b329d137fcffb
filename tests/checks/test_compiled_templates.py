"""A template is compiled once per run, and templates that differ in their settings do not share their code."""

from pathlib import Path
from typing import Any

import jinja2
import pytest

from aurora_locus.web.site.templating import Branding, open_site
from openmeet.web.site import layout
from tests import compiled_templates


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """The names of the templates that are compiled, by a process that has compiled nothing yet."""
    names: list[str] = []

    def compile_(
        environment: jinja2.Environment, source: Any, name: Any = None, filename: Any = None, **how: Any
    ) -> Any:
        names.append(name)
        return before(environment, source, name, filename, **how)

    before = compiled_templates._compile
    monkeypatch.setattr(compiled_templates, "_compile", compile_)
    monkeypatch.setattr(compiled_templates, "_FOLDER", str(tmp_path))
    monkeypatch.setattr(compiled_templates, "_compiled", {})
    return names


def start_another_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """What another process of the run has in memory: nothing."""
    monkeypatch.setattr(compiled_templates, "_compiled", {})


def test_servers_and_processes_share_compiled_templates(compiled: list[str], monkeypatch: pytest.MonkeyPatch):
    def load() -> None:
        # Each server makes environments of its own.
        site = open_site(Branding("Town"), "https://pds.example", b"k", {})
        site.templates.get_template("sign_in/forms.html")
        layout.environment.__wrapped__("Town", "https://town.example").get_template("site/fault.html")

    load()
    known = list(compiled)
    assert {"forms.html", "fault.html"} <= set(known)
    load()
    start_another_process(monkeypatch)
    load()
    assert compiled == known


def rendered(source: str, **settings: Any) -> str:
    return jinja2.Environment(**settings).from_string(source).render(text="<b>")


def test_templates_with_different_settings_are_compiled_separately(
    compiled: list[str], monkeypatch: pytest.MonkeyPatch
):
    for _ in range(2):
        assert rendered("{{ text }}") == "<b>"
        assert rendered("{{ text }}", autoescape=True) == "&lt;b&gt;"
        start_another_process(monkeypatch)
    assert len(compiled) == 2


def test_local_functions_of_the_same_name_are_told_apart(compiled: list[str], monkeypatch: pytest.MonkeyPatch):
    """Jinja applies ``finalize`` to constants when it compiles the template."""
    for _ in range(2):
        for count in (1, 2):
            assert rendered("{{ 1 }}", finalize=lambda value, count=count: f"{value} of {count}") == f"1 of {count}"
        start_another_process(monkeypatch)
    assert len(compiled) == 4


def test_errors_in_templates_are_reported_each_time(compiled: list[str]):
    for _ in range(2):
        with pytest.raises(jinja2.TemplateSyntaxError):
            rendered("{% if %}")
    assert len(compiled) == 2
