"""The version, in a module of its own: what needs it never imports the package's face."""

__version__ = "0.1.0"
