"""Names in our own JSON APIs are lowerCamelCase. In Python they have underscores.

msgspec renames schemas (``rename="camel"``). This module does the same for a name that is a value, such as the field of
a problem.
"""

import re

_JOINT = re.compile(r"_([a-z0-9])")


def json_name(name: str) -> str:
    """Return the name of a field in JSON: ``venue.postal_code`` becomes ``venue.postalCode``. Names without underscores
    stay the same.
    """
    return _JOINT.sub(lambda found: found[1].upper(), name)
