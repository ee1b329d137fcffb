"""OpenMeet, the events platform."""
