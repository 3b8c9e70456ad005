"""The formulas that the lecture prints are computed here, from their text, beside the optimizer."""

import re
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from cnn_train.optim import OPTIMIZERS
from cnn_train.optim.adamw import AdamWConfig
from cnn_train.optim.muon import MuonConfig, orthogonalize
from cnn_train.optim.optimizer import OptimizerConfig, UpdateRule
from cnn_train.optim.sgd import GDConfig, SGDConfig

SIGNS = {"−": "-", "²": "**2", "ᵗ": "**t", "₁": "1", "₂": "2", "√n": "n**0.5", "√(": "sqrt("}
PRODUCT = re.compile(r"(?<=[\w)]) (?=[\w(])")

MEMBERS: dict[str, Callable[[str, Tensor], bool]] = {
    "": lambda name, value: True,
    "weights": lambda name, value: value.ndim > 1,
    "biases and norms": lambda name, value: value.ndim == 1,
    "filters": lambda name, value: name in ("0.weight", "3.weight"),
    "biases, norms and the last layer": lambda name, value: name not in ("0.weight", "3.weight"),
}

CASES: list[OptimizerConfig] = [
    SGDConfig(lr=0.1, momentum=0),
    SGDConfig(lr=0.1, momentum=0.8, nesterov=False),
    SGDConfig(lr=0.1, momentum=0.8),
    GDConfig(lr=0.3),
    AdamWConfig(lr=0.01, betas=(0.8, 0.95), eps=1e-3),
    AdamWConfig(lr=0.1, weight_decay=0.5),
    MuonConfig(lr=0.2, sgd_lr=0.1, momentum=0.7, sgd_momentum=0.6),
    MuonConfig(newton_schulz_steps=2, newton_schulz_coefficients=(3.4576, -4.7391, 2.0843)),
    MuonConfig(lr=0.2, sgd_lr=0.05, sgd_decay=0.1, lr_factors={"5": 2.0, "0": 0.5}),
]


def follow(rule: UpdateRule, lr: float, values: dict[str, Any]) -> None:
    """Compute the formulas of a rule one after the other, in place."""
    for formula in rule.formulas:
        name, text = formula.replace("‖θ‖", "norm(θ)").split(" ← ")
        for sign, code in SIGNS.items():
            text = text.replace(sign, code)
        constants = {symbol.translate({8321: "1", 8322: "2"}): value
                     for symbol, value in rule.values.items()}  # fmt: skip
        values[name] = eval(PRODUCT.sub("*", text), {}, values | constants | {"η": lr})


def case_name(config: OptimizerConfig) -> str:
    return " ".join(f"{k}={v}" for k, v in config.model_dump(exclude_defaults=True).items())


def make_model() -> nn.Module:
    torch.manual_seed(0)
    layers = [nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(16, 6), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(6, 3)).double()


@pytest.mark.parametrize("config", CASES, ids=case_name)
def test_three_updates_are_those_that_the_printed_formulas_make(config: OptimizerConfig) -> None:
    model = make_model()
    newton_schulz: tuple[Any, ...] = ()
    if isinstance(config, MuonConfig):
        newton_schulz = (config.newton_schulz_steps, config.newton_schulz_coefficients)
    functions = {
        "sqrt": torch.sqrt, "norm": torch.norm,
        "orthogonal": lambda m: orthogonalize(m.flatten(1)[None], *newton_schulz).view(m.shape),
    }  # fmt: skip
    known = {
        name: functions | {"θ": value.detach().clone(), "v": 0.0, "m": 0.0, "n": len(value)}
        for name, value in model.named_parameters()
    }
    optimizer = config.build(model)
    for t, factor in enumerate((0.25, 1.0, 0.5), 1):
        for group in optimizer.param_groups:
            group["lr"] = factor * group["initial_lr"]
        for name, value in model.named_parameters():
            value.grad = torch.randn_like(value)
            (rule,) = (r for r in config.update_rules() if MEMBERS[r.applies_to](name, value))
            full = rule.lr * config.lr_factors.get(name[0], 1.0)
            known[name] |= {"g": value.grad.clone(), "t": t, "η1": full}
            follow(rule, factor * full, known[name])
        optimizer.step()
        for name, value in model.named_parameters():
            torch.testing.assert_close(value.detach(), known[name]["θ"], msg=f"{name}, update {t}")


def test_every_optimizer_has_a_case_above() -> None:
    assert {case.name for case in CASES} == set(OPTIMIZERS)


@pytest.mark.parametrize("config", CASES, ids=case_name)
def test_every_symbol_of_a_rule_is_explained(config: OptimizerConfig) -> None:
    for rule in config.update_rules():
        text = " ".join(rule.formulas)
        symbols = set(re.findall(r"[^\W\d]_?[\w₁₂]*(?<![ᵗ²])", text)) - {"θ", "g", "η"}
        assert {s for s in symbols if s not in rule.values} <= set(re.findall(r"\w+", rule.names))
        assert all(symbol in text for symbol in rule.values)
