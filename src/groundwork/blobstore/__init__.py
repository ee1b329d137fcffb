"""Storage of large immutable values, such as repository blobs and pictures. Values are written whole or not at all and
read in chunks.

``contract`` has the interface. ``disk`` stores files in a folder; ``s3`` stores objects in a bucket.
"""
