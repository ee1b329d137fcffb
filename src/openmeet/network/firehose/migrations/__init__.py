"""The schema of the installation-wide network database."""
