"""The site of `explore`: its page, and the answers about one user's network."""

from importlib.resources import files

from ..web.server import LocalServer, Site
from .explorer import Explorer

MOST_BODY_BYTES = 30_000_000
"""Of a photograph, as base64."""


class ExploreServer(LocalServer):
    """Serves the page of one network until :meth:`shutdown`; raises UsageError."""

    def __init__(self, explorer: Explorer, port: int = 0) -> None:
        site = Site(
            command="explore",
            folder=files(__package__).joinpath("page"),
            reads={"api/page": explorer.page},
            actions={f"api/{name}": explorer.answering(name) for name in explorer.answers},
            most_body_bytes=MOST_BODY_BYTES,
        )
        super().__init__(site, port)
