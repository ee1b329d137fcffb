"""The list of notifications and the preferences."""
