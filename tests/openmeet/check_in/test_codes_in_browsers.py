"""Scripts read the code of a ticket as the server does. The queue of check-ins without a connection has one row per code:
a text that only its script could read would take the place of a check-in of this ticket.
"""

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import openmeet.web.site
from openmeet.domain.check_in import tickets
from tests.external_dependencies import needs

pytestmark = needs("node")

STATIC = Path(openmeet.web.site.__file__).parent / "static"
FUNCTIONS = {
    "service_worker.js": r"^const codeOf = .+?;$",
    "scan.js": r"^function codeOf\(.+?^\}$",
}

CODE = "7KQM-4T2P-9XAB"
TYPED = (
    CODE,
    CODE.lower(),
    " 7kqm 4t2p\t9xab\r\n",
    "OIlu-oilU-OILU",
    f"https://openmeet.example/events/tea/check-in?code={CODE}",
    f"code=code={CODE}",
    f"code={CODE}&code=",
    f"CODE={CODE}",
    f"{CODE}code=",
    f"{CODE}{CODE}",
    CODE[:-1],
    "",
    "code=",
    "-" * 12,
    "7KQM-4T2P-9XA\u00df",
    "7KQM-4T2P-9X\u00df",
    "7KQM-4T2P-9X\ufb01",
    "7KQM-4T2P-9XA\u0131",
    "7KQM-4T2P-9XA\u017f",
    "\u0667KQM-4T2P-9XAB",
    "\uff17KQM-4T2P-9XAB",
    "7KQM\U0001d7ce4T2P9XAB",
    "'); process.exit(1); ('",
    "\0" * 12,
    f"{CODE}{' ' * 10_000}",
    "code=" * 10_000,
)
# All characters that are a space somewhere, or that become letters or digits of ASCII in upper case, are among these.
CHARACTERS = [chr(point) for point in (*range(0x3100), *range(0xFB00, 0x10000))]
TEXTS = (
    *TYPED,
    *(f"{one}7KQM{one}4T2P9XAB{one}" for one in CHARACTERS),
    *(f"7KQM4T2P9XA{one}" for one in CHARACTERS),
)


def test_the_scanner_reads_the_same_texts_as_the_server() -> None:
    for text, found in _read("scan.js"):
        assert tickets.parse_code(found) == tickets.parse_code(text), repr(text[:60])


def test_the_queue_has_one_row_per_code() -> None:
    for text, found in _read("service_worker.js"):
        code = tickets.parse_code(text)
        if code is None:
            assert tickets.parse_code(found) is None, repr(text[:60])
        else:
            assert found == code.replace("-", ""), repr(text[:60])


def _read(file: str) -> Iterator[tuple[str, str]]:
    """Each text with what ``codeOf`` of this script returns; empty if it returns nothing."""
    function = re.search(FUNCTIONS[file], (STATIC / file).read_text(), re.MULTILINE | re.DOTALL)
    assert function is not None
    script = f"""
        {function[0]}
        const texts = JSON.parse(require("fs").readFileSync(0, "utf8"));
        console.log(JSON.stringify(texts.map((text) => codeOf(text) ?? "")));
    """
    ran = subprocess.run(["node", "-e", script], input=json.dumps(TEXTS), capture_output=True, text=True, check=True)
    return zip(TEXTS, json.loads(ran.stdout), strict=True)
