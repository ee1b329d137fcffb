"""docs/from-the-reference-pds.md describes each variable of the reference PDS as the code treats it."""

import re

from aurora_locus import reference_settings
from checks import reference
from tests.docs.tables import bare, section
from tests.external_dependencies import needs

DOCUMENT = "from-the-reference-pds.md"


def in_code() -> dict[str, tuple[str, str]]:
    """The variables that have no setting of the same name, with the reason."""
    needless = {name: ("needless", why) for name, why in reference_settings.NEEDLESS.items()}
    return needless | {name: ("missing", why) for name, why in reference_settings.MISSING.items()}


def test_no_setting_is_called_needless_or_missing() -> None:
    """No existing setting is listed as needless or missing. A variable that becomes a setting is removed from
    ``reference_names`` and marked "the same" on the page.
    """
    assert not reference_settings.own_names() & (reference_settings.NEEDLESS.keys() | reference_settings.MISSING.keys())
    assert not reference_settings.NEEDLESS.keys() & reference_settings.MISSING.keys()


def test_page_says_of_each_what_the_code_does() -> None:
    told = {bare(name): (here, why) for name, here, why in section(DOCUMENT, "The environment")}
    same = {name for name, (here, _) in told.items() if here == "the same"}
    assert same <= reference_settings.own_names()
    assert {name: row for name, row in told.items() if name not in same} == in_code()


@needs("reference")
def test_page_has_every_variable_that_the_reference_reads() -> None:
    source = (reference.FOLDER / "node_modules/@atproto/pds/dist/config/env.js").read_text(encoding="utf-8")
    read = set(re.findall(r"env(?:Str|Int|Bool|List)\('([A-Z0-9_]+)'\)", source))
    assert {bare(name) for name, _, _ in section(DOCUMENT, "The environment")} == read
