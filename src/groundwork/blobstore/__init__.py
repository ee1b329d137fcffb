"""Storage of large immutable values: blobs of repositories, pictures. Written whole or not at all, read in chunks.

The contract is in ``contract``; ``disk`` keeps files in a folder, ``s3`` objects in a bucket.
"""
