"""A graph that plays in a page: values appear, slopes travel along the arrows, or are filled in."""

import json
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent


def render_player(data: Any) -> str:
    """Return the markup that plays ``data``: boxes, edges, and the events of each pass."""
    page, style, script = (
        (HERE / f"player.{kind}").read_text("utf-8") for kind in ("html", "css", "js")
    )
    events = json.dumps(data).replace("<", "\\u003c")  # no text of it ends the script
    return (
        f'<style>\n{style}</style>\n{page}<script type="application/json" id="events">{events}'
        f"</script>\n<script>\n{script}</script>\n"
    )
