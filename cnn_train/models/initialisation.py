"""Draw a network's first weights: He's normal initialisation, and scores close to zero.

Kaiming He et al., "Delving deep into rectifiers", 2015: weights of variance 2 / fan-in keep the
size of activations constant through layers of ReLU.
"""

import math

from torch import nn


def initialise(model: nn.Module, head: nn.Linear, *, head_std: float = 0.1) -> None:
    """Draw the weights: He-normal (fan-in) before the ``head``, biases 0, norms the identity.

    The head draws from N(0, head_std² / fan-in): on features of unit size the first scores then
    have a standard deviation of ``head_std``, so that training starts at chance level
    (loss ln 10 for cross-entropy, 9 for the hinge, on ten classes).
    """
    for module in model.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(module.weight, mode="fan_in", nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.ones_(module.weight)
            nn.init.zeros_(module.bias)
    nn.init.normal_(head.weight, std=head_std / math.sqrt(head.in_features))
