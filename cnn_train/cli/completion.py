"""What a shell may complete: runs, configs and networks, without importing anything heavy.

None of these functions may fail or take long: a shell waits for them at every press of the key.
"""

import re
from pathlib import Path

from ..config.shipped import shipped_configs

RUN_FILE = "resolved.yaml"
ARCHITECTURE = re.compile(r'^    "(\w+)": \w+,$', re.MULTILINE)


def complete_runs(incomplete: str) -> list[str]:
    """Complete the path of a run; of anything else, the shell completes files itself."""
    root = Path(incomplete).parent if "/" in incomplete else Path("runs")
    try:
        names = sorted(path.name for path in root.iterdir() if (path / RUN_FILE).is_file())
    except OSError:
        return []
    paths = [f"{root / name}" for name in [*names, *(["best"] if names else [])]]
    return [path for path in paths if path.startswith(incomplete)]


def complete_configs(incomplete: str) -> list[str]:
    """Complete the name of a config that ships."""
    return [name for name in shipped_configs() if name.startswith(incomplete)]


def complete_models(incomplete: str) -> list[str]:
    """Complete the name of an architecture, as it stands in the table of them."""
    table = Path(__file__).parents[1] / "models" / "__init__.py"
    names = ARCHITECTURE.findall(table.read_text("utf-8"))
    return [name for name in names if name.startswith(incomplete)]
