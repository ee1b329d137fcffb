"""The words that go with a picture."""

from groundwork.errors import InvalidForm
from openmeet.domain.media.pictures import MAX_ALT
from openmeet.i18n.markdown import one_line


def check_alt(text: str) -> str:
    """What is in the picture, in words: who does not see it has nothing else. Raises InvalidForm (``alt``)."""
    alt = one_line(text)
    if not alt:
        raise InvalidForm({"alt": "Say what is in the picture, for people who do not see it."})
    if len(alt) > MAX_ALT:
        raise InvalidForm({"alt": f"At most {MAX_ALT:,} characters."})
    return alt
