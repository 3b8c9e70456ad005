"""The playground's site: its page, what there is to choose from, and the experiments of pages."""

from importlib.resources import files

from ..web.server import LocalServer, Site
from .open_pages import OpenPages
from .view import view_of_page


class PlaygroundServer(LocalServer):
    """Serves the page and its experiments until :meth:`shutdown`; raises UsageError."""

    def __init__(self, port: int = 0) -> None:
        pages = OpenPages()
        site = Site(
            command="playground",
            folder=files(__package__).joinpath("page"),
            reads={"api/page": view_of_page},
            actions={"api/start": pages.start, "api/advance": pages.advance},
        )
        super().__init__(site, port)
