"""The walk-through in ``docs/changing.md`` is correct: a new filter of the search changes two files."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
SECTION = re.compile(r"^## A filter of the search\n(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)
BLOCK = re.compile(r"^ *```python\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)

# This script runs on the copy, and uses the filter on the page, in the API and in a saved search.
TRIAL = """
import asyncio, sys
from groundwork.clock import HandClock
from groundwork.database.migrate import migrate
from groundwork.database.open_ import open_database
from openmeet.domain.events import queries
from openmeet.domain.saved_searches import matching
from openmeet.domain.saved_searches.queries import facts
from openmeet.domain.search import query
from tests.openmeet.site_under_test import api_session, site_on

async def main():
    clock = HandClock(1_772_366_400_000_000)
    await migrate(sys.argv[1], "", "openmeet")
    site = site_on(await open_database(sys.argv[1], schema="", clock=clock), clock)
    async with site.browser() as ana:
        who = await api_session(ana, "ana@example.org", "Ana")
        for title, price in (("Jazz", "Free"), ("Opera", "20 €")):
            said = {"title": title, "startsLocal": "2026-07-04T18:00", "timeZone": "UTC", "price": price}
            await ana.post("/api/events", json=said, headers=who)
        listed = (await ana.get("/api/events?price=free")).json()["events"]
        refused = (await ana.get("/api/events?price=cheap")).json()
        documentation = (await ana.get("/api/openapi.json")).text
        page = (await ana.get("/?price=free")).text
    assert [one["title"] for one in listed] == ["Jazz"], listed
    assert "Choose one of" in str(refused) and "price" in str(refused), refused
    assert "events whose host wrote that they cost nothing" in documentation
    assert '<select id="price" name="price">' in page and 'value="free" selected' in page
    assert '<a href="/" aria-current="true">Free of charge' in page, "a chip removes it"
    wanted = query.parse_query({"price": "free"})
    async with site.db.reader() as reader:
        for one in listed:
            known = await facts(reader, (await queries.by_slug(reader, one["slug"])).id)
            assert matching.fits(wanted, known)
            assert set(matching.keys_of(wanted)) <= set(matching.keys_in(known))
    print(query.words_of({"price": "free"}))
    await site.db.close()

asyncio.run(main())
"""


def test_a_new_filter_changes_two_files(tmp_path: Path) -> None:
    section = SECTION.search((ROOT / "docs" / "changing.md").read_text(encoding="utf-8"))
    assert section is not None
    row, term = (re.sub(r"^   ", "", block, flags=re.MULTILINE) for block in BLOCK.findall(section[1]))
    copy = tmp_path / "src"
    shutil.copytree(ROOT / "src" / "openmeet", copy / "openmeet")
    _insert(copy / "openmeet/domain/search/filters.py", '    Filter(\n        name="mode",', row)
    _insert(copy / "openmeet/domain/events/content.py", "    )\n\n\ndef extension_of", term)
    done = subprocess.run(
        [sys.executable, "-c", TRIAL, f"sqlite://{tmp_path}/town.db"],
        cwd=ROOT,
        env={"PYTHONPATH": f"{copy}:{ROOT / 'src'}:{ROOT}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "Free of charge"


def _insert(file: Path, before: str, text: str) -> None:
    source = file.read_text(encoding="utf-8")
    assert before in source
    file.write_text(source.replace(before, text + before, 1), encoding="utf-8")
