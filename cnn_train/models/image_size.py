"""The refusal of images that a network would shrink to nothing."""

from ..errors import ConfigError


def require_side(name: str, image_shape: tuple[int, int, int], at_least_px: int) -> None:
    """Raise ConfigError where an image of ``image_shape`` (C, H, W) has a side below the limit."""
    _, height, width = image_shape
    if min(height, width) < at_least_px:
        raise ConfigError(
            f"model.name: {name} needs images of at least {at_least_px}×{at_least_px} pixels, not "
            f"{height}×{width}; enlarge the images or choose a network that shrinks them less, "
            "such as resnet20"
        )
