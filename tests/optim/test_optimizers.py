"""Claims about single optimisers, and those that hold for every optimiser in the table."""

import pytest
import torch
from pydantic import ValidationError
from torch import nn
from torch.nn import functional as F

from cnn_train.optim import OPTIMIZERS
from cnn_train.optim.adamw import MOST_BETA, AdamWConfig
from cnn_train.optim.learning_rates import MOST_LR
from cnn_train.optim.sgd import SGDConfig

every_optimizer = pytest.mark.parametrize("config", OPTIMIZERS.values())


def holding(weight: nn.Parameter) -> nn.Module:
    """Return a network that has nothing but this weight."""
    return nn.ParameterList([weight])


@every_optimizer
def test_it_trains_every_parameter_and_lowers_a_loss(config):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(16, 3))
    images_BCHW, labels_B = torch.randn(6, 1, 4, 4), torch.arange(6) % 3
    before = [parameter.detach().clone() for parameter in model.parameters()]
    optimizer = config(lr=0.01).build(model)
    losses = []
    for _ in range(30):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(images_BCHW), labels_B)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.9 * losses[0]
    # The bias before a batch norm has no effect, so its gradient is (nearly) zero.
    moved = [(a - b).abs().max() > 1e-4 for a, b in zip(model.parameters(), before, strict=True)]
    assert all(moved[i] for i in (0, 2, 3, 4, 5))


@every_optimizer
def test_a_state_loaded_in_another_memory_format_takes_the_same_step(config):
    """The fused implementations fail here: they add memory to memory, whatever its order."""

    def run(memory_format):
        torch.manual_seed(0)
        weight = nn.Parameter(torch.randn(4, 3, 3, 3).to(memory_format=torch.channels_last))
        optimizer = config(lr=0.1).build(holding(weight))
        for _ in range(2):
            weight.grad = torch.randn(4, 3, 3, 3).to(memory_format=torch.channels_last)
            optimizer.step()
            state = optimizer.state_dict()
            for slots in state["state"].values():
                for name, value in slots.items():
                    if torch.is_tensor(value) and value.ndim == 4:
                        slots[name] = value.contiguous(memory_format=memory_format)
            optimizer.load_state_dict(state)
        return weight.detach()

    assert torch.equal(run(torch.contiguous_format), run(torch.channels_last))


@every_optimizer
@pytest.mark.parametrize("lr", [0.0, -1.0, float("nan"), float("inf"), "0.1", True])
def test_a_learning_rate_that_is_not_a_positive_number_is_refused(config, lr):
    with pytest.raises(ValidationError):
        config(lr=lr)


def test_only_gd_asks_for_the_full_batch():
    assert [name for name, config in OPTIMIZERS.items() if config.full_batch] == ["gd"]


def test_momentum_zero_means_vanilla_sgd_whatever_the_file_says_of_nesterov():
    config = SGDConfig(momentum=0)
    assert not config.nesterov
    assert SGDConfig(**config.model_dump()) == config
    assert SGDConfig(momentum=0.0, nesterov=True) == config
    with pytest.raises(ValidationError, match="nesterov"):
        SGDConfig(momentum=0.0, nesterov="yes")


@pytest.mark.parametrize(
    ("config", "name", "values"),
    [
        (SGDConfig, "momentum", [-0.1, 1.0, 1.5, float("nan"), "0.9"]),
        (
            AdamWConfig,
            "betas",
            [[0.9], [0.9, 1.0], [1 - 1e-8, 0.9], [-0.1, 0.9], ["0.9", 0.9], 0.9],
        ),
    ],
)
def test_shares_outside_0_to_1_are_refused(config, name, values):
    for value in values:
        with pytest.raises(ValidationError, match=name):
            config(**{name: value})


def test_the_largest_betas_and_rate_make_a_step_that_float32_can_hold():
    layer = nn.Linear(2, 2)
    optimizer = AdamWConfig(lr=MOST_LR, betas=(MOST_BETA, MOST_BETA)).build(layer)
    layer(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    assert layer.weight.isfinite().all()


def test_betas_may_be_a_yaml_list():
    assert AdamWConfig(betas=[0.8, 0.95]).betas == (0.8, 0.95)
