"""Images that stay on the host, in its memory or mapped from a file, and how they are fetched."""

from collections import deque
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

NUM_AHEAD = 2  # minibatches
PIECE_BYTES = 1 << 24
Index = TypeVar("Index", slice, Tensor)


@dataclass(frozen=True, eq=False)
class HostImages:
    """Rows (int64) of stored images (uint8), copied when asked for; reason: where and why here."""

    stored_NCHW: Tensor
    rows_N: Tensor
    reason: str

    def __len__(self) -> int:
        return len(self.rows_N)

    @property
    def shape(self) -> torch.Size:
        """(N, C, H, W), as of a tensor."""
        return torch.Size((len(self.rows_N), *self.stored_NCHW.shape[1:]))

    def __getitem__(self, index: int | slice | Tensor) -> Tensor:
        """Copy some images: by NumPy, which takes one core and lets other threads run."""
        rows_M = self.rows_N[index].numpy()
        return torch.from_numpy(np.take(self.stored_NCHW.numpy(), rows_M, axis=0))

    def split(self, length: int) -> Iterator[Tensor]:
        """Copy all, so many at a time."""
        return (self[start : start + length] for start in range(0, len(self), length))

    def to(self, device: torch.device) -> Tensor:
        """Copy all to a device, piece by piece."""
        there_NCHW, done = torch.empty(self.shape, dtype=torch.uint8, device=device), 0
        for piece in cut(self):
            there_NCHW[done : done + len(piece)] = piece
            done += len(piece)
        return there_NCHW

    def ahead(self, indices: Iterable[Index], *, pinned: bool) -> Generator[tuple[Index, Tensor]]:
        """Yield each index and its images, copied ahead by a thread; pinned: for a GPU."""

        def fetch(index: Index) -> tuple[Index, Tensor]:
            return index, self[index].pin_memory() if pinned else self[index]

        fetching: deque[Future[tuple[Index, Tensor]]] = deque()
        thread = ThreadPoolExecutor(1)
        try:
            for index in indices:
                fetching.append(thread.submit(fetch, index))
                if len(fetching) > NUM_AHEAD:
                    yield fetching.popleft().result()
            while fetching:
                yield fetching.popleft().result()
        finally:
            thread.shutdown(cancel_futures=True)


def cut(images_NCHW: Tensor | HostImages) -> Iterator[Tensor]:
    """Cut images into pieces of 16 MB, for work that must not hold a second set."""
    return iter(images_NCHW.split(max(1, PIECE_BYTES // images_NCHW.shape[1:].numel())))
