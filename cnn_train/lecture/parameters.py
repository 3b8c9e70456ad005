"""Why convolutions: how many weights a layer needs to look at an image.

    fully connected      every unit sees every pixel                inputs × units
    locally connected    every unit sees its own small patch        patch × units
    convolution          the patches share their filters            patch × filters

A 200×200 image and 40,000 hidden units make 1.6 billion weights when everything is connected. But
pixels that belong together lie close together, so a patch of 10×10 is enough for a unit; and a
pattern can appear anywhere in the image, so all places can share the same 100 filters.
"""

from dataclasses import dataclass

from ..errors import UsageError

BYTES_PER_WEIGHT = 4


@dataclass(frozen=True)
class LayerSize:
    """One way to connect an image to hidden units; a unit reads ``inputs_per_unit`` numbers."""

    kind: str
    inputs_per_unit: int
    weights: int
    biases: int

    @property
    def parameters(self) -> int:
        """Weights and biases."""
        return self.weights + self.biases

    @property
    def bytes(self) -> int:
        """The memory that they take in float32."""
        return BYTES_PER_WEIGHT * self.parameters


def compare_layers(
    image_size_px: int, channels: int, units: int, patch_px: int, filters: int
) -> tuple[LayerSize, LayerSize, LayerSize]:
    """Count the weights of all three ways; UsageError if the patch is larger than the image."""
    if patch_px > image_size_px:
        size, patch = f"{image_size_px}×{image_size_px}", f"{patch_px}×{patch_px}"
        raise UsageError(f"--patch: {patch} pixels do not fit into an image of {size}")
    in_image, in_patch = image_size_px**2 * channels, patch_px**2 * channels
    return (
        LayerSize("fully connected", in_image, in_image * units, units),
        LayerSize("locally connected", in_patch, in_patch * units, units),
        LayerSize("convolution", in_patch, in_patch * filters, filters),
    )
