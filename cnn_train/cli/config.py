"""``cnn-train config``: the configs that ship; what a config means, and whether it is right."""

import shlex
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from ..config.shipped import read_header, read_shipped, shipped_configs
from ..config.source import name_source
from ..errors import ConfigError
from ..machine.atomic_file import write_atomically
from ..page import Block, Page, texts
from . import console
from .completion import complete_configs
from .loading import load_settings
from .options import ForceOption, JsonOption, SetOption, require_free
from .present import present

app = typer.Typer(no_args_is_help=True, help="List, copy, show, check and describe YAML configs.")


@app.command("list")
def list_configs(as_json: JsonOption = False) -> None:
    """List the configs that ship: what each one trains, and what was measured with it."""
    configs = shipped_configs().items()
    headers = {name: read_header(path.read_text("utf-8")) for name, path in configs}
    table = Block(
        columns=texts("name", "what it is", "measured"),
        rows=tuple((name, one.summary, one.facts["Measured"]) for name, one in headers.items()),
        notes=(
            "Train one: cnn-train fit --config NAME. Begin your own: cnn-train config copy NAME",
        ),
    )
    document = {"configs": [{"name": name, **asdict(one)} for name, one in headers.items()]}
    present(Page((table,), document), as_json=as_json)


@app.command("copy")
def copy_config(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME", help="A config of the list.", autocompletion=complete_configs
        ),
    ],
    file: Annotated[
        Path | None,
        typer.Argument(metavar="FILE", help="The file or folder to write. Default: NAME.yaml."),
    ] = None,
    force: ForceOption = False,
) -> None:
    """Write a config that ships into a file, to edit it."""
    content = read_shipped(Path(name))
    path = file or Path()
    path = path / f"{name}.yaml" if path.is_dir() else path
    require_free(path, force)
    write_atomically(path, content)
    console.say(path)
    console.notice(f"edit it, then: cnn-train fit --config {shlex.quote(str(path))}")


@app.command()
def show(
    config: Annotated[
        str,
        typer.Argument(
            metavar="CONFIG",
            help="YAML file, shipped name, or - for stdin.",
            autocompletion=complete_configs,
        ),
    ],
    overrides: SetOption = None,
) -> None:
    """Print every setting of a config, defaults included, with its meaning."""
    from ..config.explain import explain

    experiment = load_settings(config, overrides)
    typer.echo(explain(experiment, console.window_width()), nl=False)
    for warning in experiment.warnings():
        console.warn(f"{config}: {warning}")


@app.command()
def check(
    configs: Annotated[list[str], typer.Argument(metavar="FILE...", help="YAML files.")],
    overrides: SetOption = None,
) -> None:
    """Validate configs and report everything that is wrong in any of them."""
    findings = []
    for config in configs:
        try:
            experiment = load_settings(config, overrides)
        except ConfigError as error:
            findings.append(str(error))
            continue
        source = name_source(config)
        for warning in experiment.warnings():
            console.warn(f"{source}: {warning}")
        typer.echo(f"{source}: ok")
    if findings:
        raise ConfigError("\n".join(findings))


@app.command()
def schema() -> None:
    """Print the JSON Schema of configs, for completion and checks in an editor."""
    from ..config.json_schema import json_schema
    from ..experiment import ExperimentConfig

    console.print_json(json_schema(ExperimentConfig))
