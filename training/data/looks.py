"""Other clothes for people cut out of pictures, and the light, the camera and the file of whole pictures."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

# Probability that a garment is exchanged, and where its upper and lower edge lie: ranges of shares of the person's
# height, from the top. Coat or shirt, trousers or skirt, hair or hat.
GARMENTS = (
    (0.7, (0.115, 0.215), (0.435, 0.615)),
    (0.6, (0.455, 0.615), (0.855, 0.995)),
    (0.2, (-0.045, -0.045), (0.075, 0.075)),
)
SOFT = 0.02  # share of the height over which a garment begins and ends
PLAIN, PATTERNED = 0.5, 0.2  # probabilities of a colour and of a piece of a picture; the rest gets another hue
DARKEST = 12.0  # of a garment's mean brightness, so that black cloth does not become noise

# Gives a random piece of a picture, [rows, columns, 3] uint8 BGR.
Texture = Callable[[int, int], np.ndarray]


def random_colour(rng: np.random.Generator) -> np.ndarray:
    """Return a colour as clothes have it, [3] float32 BGR from 0 to 255: any hue, and rather dull."""
    hsv = [rng.random() * 180, 255 * rng.beta(0.8, 1.6), 255 * rng.beta(1.2, 1.3)]
    return cv2.cvtColor(np.array([[hsv]], np.uint8), cv2.COLOR_HSV2BGR)[0, 0].astype(np.float32)


def change_clothes(image: np.ndarray, mask: np.ndarray, texture: Texture, rng: np.random.Generator) -> np.ndarray:
    """Give a standing person other clothes and another light.

    Args:
        image: [H, W, 3] uint8 or float32 BGR, the person from head to foot.
        mask: [H, W] float32, 1 where the person is.
        texture: Gives patterns of clothes.
        rng: Random number generator.

    Returns:
        [H, W, 3] float32; may leave 0 to 255.
    """
    image = image.astype(np.float32)
    for probability, upper, lower in GARMENTS:
        if rng.random() < probability:
            image = _exchange(image, mask, rng.uniform(*upper), rng.uniform(*lower), texture, rng)
    mean = np.average(image.mean(axis=2), weights=mask + 1e-6)
    return (image - mean) * np.float32(np.exp(rng.normal(-0.1, 0.25))) + np.float32(mean + rng.normal(0, 18))


def _exchange(
    image: np.ndarray, mask: np.ndarray, upper: float, lower: float, texture: Texture, rng: np.random.Generator
) -> np.ndarray:
    """Exchange what a person wears between two heights; folds and shadows stay."""
    height, width = mask.shape
    rows = (np.arange(height, dtype=np.float32) + 0.5) / height
    worn = np.clip((rows - upper) / SOFT + 0.5, 0, 1) * np.clip((lower - rows) / SOFT + 0.5, 0, 1)
    share = (worn[:, None] * mask)[..., None].astype(np.float32)
    brightness = image.mean(axis=2, keepdims=True)
    inside = brightness[share > 0.5]
    shade = np.clip(brightness / max(inside.mean() if inside.size else 100, DARKEST), 0.3, 2.2)
    kind = rng.random()
    if kind < PLAIN:
        strength = np.float32(rng.uniform(0.4, 1))
        new = random_colour(rng) * (shade * strength + 1 - strength)
    elif kind < PLAIN + PATTERNED:
        new = texture(height, width).astype(np.float32) * shade
    else:
        hsv = cv2.cvtColor(image.clip(0, 255).astype(np.uint8), cv2.COLOR_BGR2HSV)
        hsv[..., 0] = (hsv[..., 0].astype(np.int32) + int(rng.integers(180))) % 180
        new = cv2.cvtColor(hsv, cv2.COLOR_HSV2BGR).astype(np.float32)
    return image * (1 - share) + new * share


def change_picture(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Change light, colours, sharpness and noise of a picture at random, and compress it.

    Args:
        image: [H, W, 3] float32 BGR, 0 to 255 and maybe beyond.
        rng: Random number generator.

    Returns:
        [H, W, 3] uint8.
    """
    image = image.clip(0, 255)
    if rng.random() < 0.5:
        image = 255 * (image / 255) ** np.float32(np.exp(rng.normal(0, 0.35)))
    mean = image.mean()
    image = (image - mean) * np.float32(np.exp(rng.normal(-0.05, 0.2))) + np.float32(mean + rng.normal(0, 12))
    image = image * np.exp(rng.normal(0, 0.05, 3)).astype(np.float32)
    if rng.random() < 0.25:
        grey = image.mean(axis=2, keepdims=True)
        image = grey + (image - grey) * np.float32(rng.uniform(0, 1.4))
    if rng.random() < 0.2:
        image = cv2.GaussianBlur(image, (0, 0), float(rng.uniform(0.4, 1.3)))
    if rng.random() < 0.2:
        image = image + rng.standard_normal(image.shape, np.float32) * np.float32(rng.uniform(1, 7))
    image = image.clip(0, 255).astype(np.uint8)
    if rng.random() < 0.4:
        file = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(35, 90))])[1]
        image = cv2.imdecode(file, cv2.IMREAD_COLOR)
    return image
