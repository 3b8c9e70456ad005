"""The other programs of the race: how to run each one's own main function, unchanged.

A peer is a script that trains on ``cifar10/train.pt`` and ``test.pt`` in its working directory and
tells ``print_training_details`` what it reached. Its networks are built here as the script builds
them when it is started by itself.
"""

import importlib.util
import random
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import torch

from cnn_train.data.image_set import ImageSet
from cnn_train.errors import UsageError

Run = Callable[[int], object]
COMPILATION = "max-autotune"


def one_network(script: Any, device: torch.device) -> Run:
    """Prepare a script whose main function takes one network."""
    model = script.CifarNet().to(device, memory_format=torch.channels_last)
    model.compile(mode=COMPILATION)
    return lambda run: script.main(run, model)


def three_networks(script: Any, device: torch.device) -> Run:
    """Prepare a script with a proxy, and a main network with its first bias trained and frozen."""
    proxy, trained, frozen = (script.make_net(script.hyp[name]) for name in ("proxy", "net", "net"))
    for network in (proxy, frozen):
        network[0].bias.requires_grad = False
    networks = [torch.compile(network, mode=COMPILATION) for network in (proxy, trained, frozen)]
    return lambda run: script.main(run, script.hyp, *networks)


PEERS: dict[str, Callable[[Any, torch.device], Run]] = {
    "airbench94_muon.py": one_network,
    "cifar10_speedrun.py": one_network,
    "airbench96_faster.py": three_networks,
    "toy_peer.py": one_network,
}
PEER_SCRIPTS = tuple(name for name in PEERS if name != "toy_peer.py")


class PeerRun:
    """One peer, ready to run again and again."""

    def __init__(self, script: Path, device: torch.device) -> None:
        module: Any = load_script(script)
        module.print_training_details = self.listen
        self.reached: dict[str, float] = {}
        self.run = PEERS[script.name](module, device)

    def listen(self, variables: dict[str, Any], **_: Any) -> None:
        """Take the place of the script's own print-out, which gets its local variables.

        Only numbers are kept: tensors would hold the GPU's memory until the next run.
        """
        self.reached |= {k: float(v) for k, v in variables.items() if isinstance(v, int | float)}

    def __call__(self, seed: int) -> dict[str, float]:
        """Run it once: seconds by its own clock, accuracies by its own evaluation."""
        self.reached.clear()
        torch.manual_seed(seed)
        random.seed(seed)  # one of them draws its seeds from Python's generator
        self.run(seed)
        clock = "time_seconds" if "time_seconds" in self.reached else "total_time_seconds"
        names = {"seconds": clock, "single": "val_acc", "views": "tta_val_acc"}
        return {ours: self.reached[theirs] for ours, theirs in names.items()}


def load_script(path: Path) -> ModuleType:
    """Import a script without what it does as a program; some read their own text by argv[0]."""
    sys.argv = [str(path)]
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module


def find_script(folder: Path | None, name: str) -> Path:
    """Return where the script lies below ``folder``; UsageError where it does not."""
    places = sorted(folder.rglob(name)) if folder else []
    if not places:
        raise UsageError(f"{name} is not among --peers")
    return places[0]


def lay_out_images(train: ImageSet, test: ImageSet, folder: Path) -> None:
    """Write the images where peers look for them: uint8 NHWC, int64 labels, class names."""
    (folder / "cifar10").mkdir(parents=True)
    for split, images in (("train", train), ("test", test)):
        content = {
            "images": images.images_NCHW[:].permute(0, 2, 3, 1).contiguous(),
            "labels": images.labels_N,
            "classes": list(images.class_names),
        }
        torch.save(content, folder / "cifar10" / f"{split}.pt")
