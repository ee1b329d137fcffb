"""Operators' commands by noun and verb: one Typer app per noun."""
