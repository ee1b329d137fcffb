"""The small network of ``tests.openmeet.town``."""

from tests.openmeet.town import town

__all__ = ["town"]
