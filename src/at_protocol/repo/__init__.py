"""Repositories: records under keys in a Merkle search tree, a signed commit over its root, and CAR files.

The tree and its commit are values: nothing here reads a disk or a clock. Untrusted input is checked where it is
decoded. Source: repository specification (August 2026).
"""
