"""Names of languages that people type."""

import subprocess
import sys

from babel import Locale

from openmeet.i18n.languages import known_code, own_names

# Prints the languages whose data were loaded to look up a name that nobody knows.
_LOADED = """
from babel import localedata
from openmeet.i18n.languages import known_code
assert known_code("no language") is None
print(*sorted(name for name in localedata._cache if "_" not in name))
"""


def test_native_names_are_those_of_the_cldr() -> None:
    assert own_names() == {code: Locale(code).get_language_name(code) for code in own_names()}


def test_a_language_is_known_by_its_code_and_its_names() -> None:
    for typed in ("pl", "Polish", "polaco", "polonais", "Polnisch", "polski", " POLSKI "):
        assert known_code(typed) == "pl"
    assert known_code("日本語") == "ja"
    assert known_code(" ") is None
    assert known_code("root") is None


def test_an_unknown_name_loads_few_languages() -> None:
    """All 66 took a second, in which the web process answered nobody."""
    loaded = subprocess.run([sys.executable, "-c", _LOADED], capture_output=True, text=True, check=True).stdout
    assert loaded.split() == ["de", "en", "es", "fr", "root"]
