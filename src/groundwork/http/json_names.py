"""Names in our own JSON APIs: lowerCamelCase. Inside they are Python's, with underscores.

Schemas are renamed by msgspec (``rename="camel"``); this does the same for a name that is a value, such as the field of
a problem.
"""

import re

_JOINT = re.compile(r"_([a-z0-9])")


def json_name(name: str) -> str:
    """The name of a field in JSON: ``venue.postal_code`` becomes ``venue.postalCode``; a name without underscores
    stays.
    """
    return _JOINT.sub(lambda found: found[1].upper(), name)
