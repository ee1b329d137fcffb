"""Fixtures with the small network of ``tests.openmeet.deployment``."""

from tests.openmeet.deployment import deployment

__all__ = ["deployment"]
