"""Repositories: records under keys in a Merkle search tree, a signed commit over its root, and CAR files.

The tree and its commit are values: this package reads neither a disk nor a clock. Untrusted input is checked where it
is decoded. Source: repository specification (August 2026).
"""
