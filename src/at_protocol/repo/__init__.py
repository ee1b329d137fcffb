"""A repository: records under keys in a Merkle search tree, a signed commit over its root, and files of blocks.

The tree and its commit are values: nothing here reads a disk or a clock. Source: repository specification (August
2026). Whatever comes from a stranger is checked where it is decoded.
"""
