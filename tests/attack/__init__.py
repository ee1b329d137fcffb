"""The running system attacked as a stranger would: random and hostile input through every door that there is."""
