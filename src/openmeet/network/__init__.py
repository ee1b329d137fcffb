"""The AT Protocol side of OpenMeet: read from and write to people's repositories."""
