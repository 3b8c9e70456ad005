"""The lecture's challenges of image classification, done to images: a new one is a line below."""

from .challenge import Challenge
from .deformation import ripple, shear
from .illumination import cast_colour, change_brightness, change_gamma, reduce_contrast
from .obstruction import add_noise, add_texture, cover, frame
from .viewpoint import rotate, shift, tilt, zoom

CHALLENGES: dict[str, Challenge] = {
    "shift": Challenge("viewpoint", shift, (1 / 16, 1 / 8, 3 / 16, 1 / 4, 3 / 8)),
    "rotate": Challenge("viewpoint", rotate, (10, 20, 30, 45, 60)),
    "scale": Challenge("viewpoint", zoom, (1.15, 1.3, 1.5, 1.75, 2)),
    "perspective": Challenge("viewpoint", tilt, (0.1, 0.2, 0.3, 0.4, 0.5)),
    "brightness": Challenge("illumination", change_brightness, (0.1, 0.2, 0.3, 0.4, 0.5)),
    "contrast": Challenge("illumination", reduce_contrast, (0.2, 0.4, 0.6, 0.75, 0.9)),
    "gamma": Challenge("illumination", change_gamma, (1.25, 1.5, 2, 2.5, 3.5)),
    "colour cast": Challenge("illumination", cast_colour, (0.15, 0.3, 0.45, 0.6, 0.8)),
    "elastic": Challenge("deformation", ripple, (0.02, 0.04, 0.06, 0.08, 0.1)),
    "shear": Challenge("deformation", shear, (0.1, 0.2, 0.3, 0.45, 0.6)),
    "cutout": Challenge("occlusion", cover, (0.25, 0.375, 0.5, 0.625, 0.75)),
    "noise": Challenge("clutter", add_noise, (0.02, 0.04, 0.08, 0.12, 0.18)),
    "texture": Challenge("clutter", add_texture, (0.05, 0.1, 0.15, 0.2, 0.3)),
    "pasted border": Challenge("clutter", frame, (1 / 16, 1 / 8, 3 / 16, 1 / 4, 5 / 16)),
}
