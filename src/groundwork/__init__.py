"""Infrastructure that both servers use. Each package has one purpose, and each driver has its own module."""
