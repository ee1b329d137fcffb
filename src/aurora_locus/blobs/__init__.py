"""Blobs: uploaded bytes, temporary until a record refers to them, public as long as one does, deleted with the last
reference.

Owns ``blobs`` and ``blob_references``. Blobs belong to one account: the same bytes uploaded by two people are two
blobs, so deleting one never affects the other. Rows change in the transaction of the commit that refers to them. A file
is written before its row is inserted and removed after its row is deleted, so every row has its file.
"""
