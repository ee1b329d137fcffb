"""Checks of house rules that the linter, the type checker and the import contracts do not cover."""
