"""What our loop is compared with: a student's whole program, and the barest loop there is.

Shape letters: B minibatch, C channels, H W pixels, K classes.
"""

from collections.abc import Callable, Iterable, Sequence

import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, RandomSampler
from torchvision import transforms

from cnn_train.acceleration.allocator import give_back_freed_memory
from cnn_train.data.batches import Batch
from cnn_train.data.image_set import ImageSet
from cnn_train.data.normalization import Normalization
from cnn_train.machine.stopwatch import now

NUM_WORKERS = 2
WEIGHT_DECAY = 5e-4


def make_sgd(model: nn.Module) -> torch.optim.SGD:
    """Make the usual optimizer of these networks; its weight decay is the L2 penalty for free."""
    return torch.optim.SGD(
        model.parameters(), lr=0.01, momentum=0.9, nesterov=True, weight_decay=WEIGHT_DECAY
    )


class StudentDataset(Dataset[tuple[Tensor, int]]):
    """Augment and normalise image by image, as every tutorial does."""

    def __init__(self, images: ImageSet) -> None:
        self.pixels_NHWC = images.images_NCHW[:].permute(0, 2, 3, 1).contiguous().numpy()
        self.labels = images.labels_N.tolist()
        normalization = Normalization.of(images.images_NCHW)
        self.transform = transforms.Compose([
            transforms.RandomCrop(images.image_shape[1:], padding=4),
            transforms.RandomHorizontalFlip(),
            transforms.ToTensor(),
            transforms.Normalize(normalization.mean, normalization.std),
        ])  # fmt: skip

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        image_CHW: Tensor = self.transform(Image.fromarray(self.pixels_NHWC[index]))
        return image_CHW, self.labels[index]


class StudentLoop:
    """Float32, NCHW, a DataLoader with two worker processes, running loss and accuracy."""

    def __init__(
        self, model: nn.Module, images: ImageSet, batch_size: int, device: torch.device
    ) -> None:
        self.model = model.to(device).train()
        self.dataset = StudentDataset(images)
        self.batch_size = batch_size
        self.device = device
        self.optimizer = make_sgd(model)

    def images_per_second(self, num_steps: int) -> float:
        """Train for some steps; the start of the workers and the first step are not timed.

        Freed memory goes back to the kernel meanwhile, as in a program that leaves glibc alone.
        """
        num_images = (num_steps + 1) * self.batch_size
        sampler = RandomSampler(self.dataset, replacement=True, num_samples=num_images)
        batches = iter(
            DataLoader(self.dataset, self.batch_size, sampler=sampler, num_workers=NUM_WORKERS)
        )
        give_back_freed_memory()
        self._train([next(batches)])
        started = now(self.device)
        self._train(batches)
        return num_steps * self.batch_size / (now(self.device) - started)

    def _train(self, batches: Iterable[Sequence[Tensor]]) -> tuple[float, int]:
        loss_sum, num_correct = 0.0, 0
        for images, labels in batches:
            images_BCHW, labels_B = images.to(self.device), labels.to(self.device)
            self.optimizer.zero_grad()
            scores_BK = self.model(images_BCHW)
            loss = F.cross_entropy(scores_BK, labels_B)
            loss.backward()  # type: ignore[no-untyped-call]
            self.optimizer.step()
            loss_sum += loss.item() * len(labels_B)
            num_correct += int((scores_BK.argmax(1) == labels_B).sum().item())
        return loss_sum, num_correct


class BareLoop:
    """Forward, loss, backward, update over the minibatches it is given; nothing is noted.

    ``forward`` is the model, or the model under autocast.
    """

    def __init__(
        self,
        model: nn.Module,
        forward: Callable[[Tensor], Tensor],
        optimizer: torch.optim.Optimizer | None = None,
    ) -> None:
        """Without an ``optimizer`` the usual one is made."""
        self.model = model
        self.forward = forward
        self.optimizer = optimizer or make_sgd(model)

    def train(self, batches: Iterable[Batch]) -> None:
        """Make one update per minibatch."""
        self.model.train()
        for batch in batches:
            self.optimizer.zero_grad(set_to_none=True)
            loss = F.cross_entropy(self.forward(batch.images_BCHW), batch.labels_B)
            loss.backward()  # type: ignore[no-untyped-call]
            self.optimizer.step()

    @torch.no_grad()
    def validate(self, batches: Iterable[Batch]) -> None:
        """Compute the scores and the loss of every minibatch."""
        self.model.eval()
        for batch in batches:
            F.cross_entropy(self.forward(batch.images_BCHW), batch.labels_B)
