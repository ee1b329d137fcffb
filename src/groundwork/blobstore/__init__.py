"""Bytes under names, outside of the database: blobs, pictures. One contract, a driver per place (design section 3)."""
