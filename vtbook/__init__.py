"""vtbook: the executable textbook on virtualization."""

__version__ = "0.1.0.dev0"
