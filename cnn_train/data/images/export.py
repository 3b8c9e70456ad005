"""Write an image set as PNG files in the layout that the ``folder`` dataset reads."""

from pathlib import Path

import torch
from PIL import Image

from ...errors import ResourceError
from ..dataset import Progress, silent
from ..image_set import ImageSet


def export_images(
    images: ImageSet, folder: Path, *, per_class: int | None = None, progress: Progress = silent
) -> list[Path]:
    """Write the first ``per_class`` (None: all) images of each class, losslessly.

    Files are ``folder/<class>/<position in its class>.png``; returns their paths. Raises
    ResourceError where they cannot be written.
    """
    chosen: dict[Path, int] = {}
    for label, name in enumerate(images.class_names):
        indices = torch.nonzero(images.labels_N == label).flatten()[:per_class].tolist()
        paths = (folder / name / f"{position:05d}.png" for position in range(len(indices)))
        chosen |= zip(paths, indices, strict=True)
    with progress("Writing images", len(chosen)) as advance:
        for path, index in chosen.items():
            _save_png(images, index, path)
            advance(1)
    return list(chosen)


def _save_png(images: ImageSet, index: int, path: Path) -> None:
    pixels_HWC = images.images_NCHW[index].permute(1, 2, 0).cpu().numpy()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels_HWC.squeeze()).save(path, format="PNG")
    except OSError as problem:
        raise ResourceError(f"{path}: cannot write ({problem.strerror or problem})") from None
