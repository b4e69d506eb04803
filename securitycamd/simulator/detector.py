"""What is in a picture, by YOLOv3-tiny: small enough for a Raspberry Pi, good enough for a demo."""

from collections import Counter
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from securitycamd.simulator.footage import DemoAssets

INPUT_SIZE: Final = 608
"""The picture's longer side as the network sees it. 416 is twice as fast and misses people far away."""
LEAST_CONFIDENCE: Final = 0.3
MOST_OVERLAP: Final = 0.45
GREY: Final = 127

# What a camera at a house is asked about. The network also "sees" surfboards in lamp posts.
PEOPLE: Final = frozenset({"person"})
VEHICLES: Final = frozenset({"bicycle", "car", "motorbike", "bus", "truck"})
ANIMALS: Final = frozenset({"dog", "cat", "horse"})
KNOWN: Final = PEOPLE | VEHICLES | ANIMALS


class NotAPictureError(Exception):
    """The bytes are no picture."""


@dataclass(frozen=True, slots=True)
class Sighting:
    """What one picture shows: how many of each thing, and how sure the surest is (0 to 1; 0 when empty)."""

    counts: Counter[str]
    confidence: float


class Detector:
    """The loaded network. Loading takes 0.1-1 s, a picture 0.1 s; not for two threads at once."""

    def __init__(self, assets: DemoAssets) -> None:
        self._network = cv2.dnn.readNetFromDarknet(str(assets.network), str(assets.weights))
        self._outputs = self._network.getUnconnectedOutLayersNames()
        self._labels = assets.labels.read_text(encoding="utf-8").split("\n")

    def look(self, content: bytes) -> Sighting:
        """What a JPEG or PNG shows. What is cut off a truncated picture is not missed, as with Ollama.

        Raises:
            NotAPictureError: it cannot be decoded.
        """
        if not content:
            raise NotAPictureError
        try:
            picture = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
        except cv2.error as error:
            raise NotAPictureError from error
        if picture is None:
            raise NotAPictureError
        # Squared by padding: stretched people are not recognised.
        height, width = picture.shape[:2]
        scale = INPUT_SIZE / max(height, width)
        small = cv2.resize(picture, (round(width * scale), round(height * scale)), interpolation=cv2.INTER_AREA)
        square = np.full((INPUT_SIZE, INPUT_SIZE, 3), GREY, np.uint8)
        square[: small.shape[0], : small.shape[1]] = small
        self._network.setInput(cv2.dnn.blobFromImage(square, 1 / 255, swapRB=True))
        return self._count(np.vstack(self._network.forward(self._outputs)))

    def _count(self, rows: np.ndarray) -> Sighting:
        """Rows are centre, size (each 0-1 of the square), objectness, then a score for each label."""
        scores = rows[:, 5:]
        sure = scores.max(axis=1)
        kept = sure > LEAST_CONFIDENCE
        names = [self._labels[index] for index in scores[kept].argmax(axis=1)]
        wanted = [index for index, name in enumerate(names) if name in KNOWN]
        confidences = [float(sure[kept][index]) for index in wanted]
        boxes = [_box(rows[kept][index]) for index in wanted]
        # Across labels: a van is otherwise a car and a truck too. Rider and bicycle overlap less than that.
        chosen = cv2.dnn.NMSBoxes(boxes, confidences, LEAST_CONFIDENCE, MOST_OVERLAP)
        found = [int(index) for index in np.array(chosen).flatten()]
        return Sighting(
            Counter(names[wanted[index]] for index in found),
            max((confidences[index] for index in found), default=0.0),
        )


def _box(row: np.ndarray) -> list[float]:
    centre_x, centre_y, width, height = (float(value) * INPUT_SIZE for value in row[:4])
    return [centre_x - width / 2, centre_y - height / 2, width, height]
