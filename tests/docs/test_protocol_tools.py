"""docs/protocol-tools.md shows what the commands print."""

import re
import shlex

import pytest

from programs import cli
from tests.docs.tables import DOCS
from tests.external_dependencies import fixture_path, needs

PAGE = (DOCS / "protocol-tools.md").read_text(encoding="utf-8")
# Commands that read captured files, and the folder of these files.
FOLDERS = {"repo verify": "data/cars", "firehose verify": "data/firehose", "records inspect": "data/calendar-records"}
SHOWN: list[tuple[str, str, str]] = re.findall(r"```\n\$ openmeet ((\S+ \S+) [^\n]*)\n(.*?)```", PAGE, re.DOTALL)


@needs("fixtures")
@pytest.mark.parametrize(
    ("line", "command", "printed"),
    [one for one in SHOWN if one[1] in FOLDERS],
    ids=lambda text: text.splitlines()[0][:20],
)
def test_output_is_as_shown(
    line: str, command: str, printed: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The output of every tool that reads a file is as shown. Live output of a PDS differs each time and is not
    checked.
    """
    monkeypatch.chdir(fixture_path(FOLDERS[command]))
    assert cli.main(shlex.split(line)) == cli.DONE
    assert capsys.readouterr().out.strip() == printed.strip()


def test_every_tool_is_shown() -> None:
    assert {command for _, command, _ in SHOWN} == {*FOLDERS, "firehose tail"}
