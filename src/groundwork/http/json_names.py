"""Names on the wire of our own JSON APIs: lowerCamelCase. Inside they are Python's, with underscores.

Shapes are renamed by msgspec (``rename="camel"``); this is the same for a name that is a value: the field of a problem, or a
field that an answer speaks of.
"""

import re

_JOINT = re.compile(r"_([a-z0-9])")


def json_name(name: str) -> str:
    """``venue.postal_code`` is ``venue.postalCode`` for a client; a name without underscores stays."""
    return _JOINT.sub(lambda found: found[1].upper(), name)
