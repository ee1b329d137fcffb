"""Infrastructure that both servers use: a package per purpose, a module per driver."""
