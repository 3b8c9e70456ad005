"""``cnn-train config``: show what a config means, check configs, describe them to an editor."""

from typing import Annotated

import typer

from ..config.source import name_source
from ..errors import ConfigError
from . import console
from .completion import complete_configs
from .loading import load_settings
from .options import SetOption

app = typer.Typer(no_args_is_help=True, help="Show, check and describe YAML configs.")


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
