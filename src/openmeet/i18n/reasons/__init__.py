"""A message for every reason code, by domain package; ``messages`` finds the one for an explanation."""
