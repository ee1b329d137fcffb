"""The tables of the embedded queue."""
