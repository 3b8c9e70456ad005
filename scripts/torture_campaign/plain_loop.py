"""What cnn-train is compared with: a student's loop with ``torch.save`` in place.

It saves what such programs save (network, accuracy, epoch) where the last file was, and resumes by
``torch.load``. Optimizer and generators start anew at every resume.
"""

from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

FILE = "ckpt.pth"


class PlainNet(nn.Module):
    """Two convolutions and a linear layer, for images of 16×16 pixels and ten classes."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(3, 16, 3), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2), nn.Dropout(0.2),
            nn.Conv2d(16, 64, 3), nn.ReLU(), nn.Flatten(), nn.Linear(64 * 5 * 5, 10),
        )  # fmt: skip

    def forward(self, images_BCHW: Tensor) -> Tensor:
        """Return scores BK."""
        scores_BK: Tensor = self.layers(images_BCHW)
        return scores_BK


def save(state: dict[str, Any], path: Path) -> None:
    """Save in place, as every tutorial does."""
    torch.save(state, path)


def train(directory: str, epochs: int = 6, batch_size: int = 12) -> None:
    """Train on drawn images in ``directory``; a file that is there is gone on from."""
    from cnn_train.data.dataset import DataAccess
    from cnn_train.data.shapes.dataset import ShapesConfig

    path = Path(directory) / FILE
    torch.manual_seed(0)
    images = ShapesConfig(num_train=80, image_size=16).load_train(DataAccess(Path(directory)))
    pixels_NCHW, labels_N = images.images_NCHW[:].float() / 255, images.labels_N
    net = PlainNet()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
    first = 0
    if path.exists():
        state = torch.load(path)
        net.load_state_dict(state["net"])
        first = state["epoch"] + 1
    for epoch in range(first, epochs):
        num_correct = 0
        for chosen in torch.split(torch.randperm(len(labels_N)), batch_size):
            scores_BK = net(pixels_NCHW[chosen])
            optimizer.zero_grad()
            F.cross_entropy(scores_BK, labels_N[chosen]).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            num_correct += int((scores_BK.argmax(1) == labels_N[chosen]).sum())
        accuracy = num_correct / len(labels_N)
        save({"net": net.state_dict(), "acc": accuracy, "epoch": epoch}, path)


def save_through_python(state: dict[str, Any], path: Path) -> None:
    """Save in place, as :func:`save` does, through a file that Python writes and can watch."""
    with path.open("wb") as file:
        torch.save(state, file)


def make_state(epoch: int) -> dict[str, Any]:
    """Make the state that the loop would save after ``epoch``: random weights of its own."""
    torch.manual_seed(epoch)
    return {"net": PlainNet().state_dict(), "acc": epoch / 10, "epoch": epoch}
