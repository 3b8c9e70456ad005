"""What operating systems and storage devices put among a user's files."""

SYSTEM_FILES = frozenset({
    "thumbs.db", "ehthumbs.db", "desktop.ini", "$recycle.bin", "system volume information",
    "__macosx", "icon\r", "@eadir", "@recycle", "@__thumb", "#recycle", "#snapshot", "lost+found",
    "__pycache__",
})  # fmt: skip
"""Names, in small letters, of Windows, macOS, Synology, QNAP, Linux and Python."""


def is_system_file(name: str) -> bool:
    """Tell whether a file or folder is hidden, or one that no user has made."""
    return name.startswith(".") or name.lower() in SYSTEM_FILES
