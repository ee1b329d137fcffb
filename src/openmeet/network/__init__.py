"""The AT Protocol side of the platform: reading from and writing to people's repositories."""
