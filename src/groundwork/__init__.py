"""What both servers stand on: a folder is named for what it drives, a file for who drives it."""
