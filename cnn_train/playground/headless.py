"""The same experiment without a page: for scripts and tests."""

from dataclasses import asdict, dataclass
from typing import Any

from .experiment import Experiment, Measures, run_epochs
from .formula import Place, name_place, weight_step
from .settings import PlaygroundSettings, write_address


@dataclass(frozen=True)
class HeadlessRun:
    """An experiment that was trained, and its measures after each epoch."""

    experiment: Experiment
    records: list[Measures]

    def to_json(self) -> dict[str, Any]:
        """Return what ``--json`` prints; without times, so that equal runs give equal documents."""
        step = weight_step(self.experiment, Place())
        assert step is not None
        return {
            "settings": self.experiment.settings.model_dump(mode="json"),
            "address": write_address(self.experiment.settings),
            "steps": self.experiment.step,
            "num_parameters": sum(p.numel() for p in self.experiment.network.parameters()),
            **asdict(self.records[-1]),
            "last_step": {
                "weight": name_place(Place(), self.experiment.settings),
                **step._asdict(),
            },
            "records": [
                {"epoch": epoch, **asdict(record)} for epoch, record in enumerate(self.records)
            ],
        }


def run_headless(settings: PlaygroundSettings, num_epochs: int) -> HeadlessRun:
    """Train ``num_epochs`` epochs; raises DivergedError."""
    experiment = Experiment(settings)
    return HeadlessRun(experiment, list(run_epochs(experiment, num_epochs)))
