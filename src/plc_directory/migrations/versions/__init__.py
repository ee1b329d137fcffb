"""One file per revision. The file name begins with the number of the revision."""
