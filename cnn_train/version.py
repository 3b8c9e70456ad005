"""The version, in a module of its own: what needs it never imports the package's face."""

__version__ = "1.0.0"
