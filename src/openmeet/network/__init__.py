"""The AT Protocol side of OpenMeet: reads from and writes to people's repositories."""
