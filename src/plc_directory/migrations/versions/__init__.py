"""One file per revision; the number is its name."""
