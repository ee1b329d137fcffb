"""Every kind of notification has its template blocks, and every block belongs to a kind."""

import jinja2
import pytest

from openmeet.domain.notifications.kinds import KINDS
from openmeet.emails.notifications.texts import TEMPLATES

REQUIRED = {"line", "subject", "text"}
# Optional blocks that a template can have in addition to the required ones.
OPTIONAL = {"quote", "action"}


def test_there_is_a_template_for_each_kind_and_a_kind_for_each_template() -> None:
    files = {path.stem for path in TEMPLATES.glob("*.jinja") if not path.name.startswith("_")}
    assert files == set(KINDS)
    assert {path.suffix for path in TEMPLATES.iterdir()} == {".jinja"}


@pytest.mark.parametrize("name", KINDS)
def test_each_template_has_every_block(name: str) -> None:
    environment = jinja2.Environment(autoescape=True, extensions=["jinja2.ext.i18n"])
    source = (TEMPLATES / f"{name}.jinja").read_text(encoding="utf-8")
    blocks = {block.name for block in environment.parse(source).find_all(jinja2.nodes.Block)}
    assert REQUIRED <= blocks <= REQUIRED | OPTIONAL
    assert "title" in source.partition("{% endblock %}")[0], "the line names the subject"
