"""Nothing of what is private reaches anybody whom it is not for."""
