"""Public profiles of hosts."""
