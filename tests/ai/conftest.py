"""What the tests of the AI room share: a stand-in server, stills, an analyst."""

from collections.abc import AsyncIterator, Awaitable, Callable
from io import BytesIO

import pytest
from PIL import Image

from securitycamd.ai.client import Analyst
from securitycamd.settings import AnalyserSettings
from tests.ollama_server import OllamaServer

MakeAnalyst = Callable[..., Awaitable[Analyst]]


def jpeg(width: int = 320, height: int = 180, *, mode: str = "RGB", **options: object) -> bytes:
    """A picture with something in every corner, so that a cut anywhere loses some of it."""
    gradient = Image.linear_gradient("L").resize((width, height))
    other = gradient.transpose(Image.Transpose.ROTATE_180)
    picture = Image.merge("RGB", (gradient, other, Image.effect_noise((width, height), 60))).convert(mode)
    result = BytesIO()
    picture.save(result, format="JPEG", quality=90, **options)
    return result.getvalue()


def black() -> bytes:
    """A picture of the dark, as a sensor sees it."""
    noise = Image.effect_noise((320, 180), 3).point(lambda level: max(0, level - 124))
    result = BytesIO()
    noise.convert("RGB").save(result, format="JPEG")
    return result.getvalue()


@pytest.fixture(scope="session")
def still() -> bytes:
    return jpeg()


@pytest.fixture
async def server() -> AsyncIterator[OllamaServer]:
    async with OllamaServer() as running:
        yield running


@pytest.fixture
async def make_analyst(server: OllamaServer) -> AsyncIterator[MakeAnalyst]:
    made: list[Analyst] = []

    async def make(**settings: object) -> Analyst:
        analyst = Analyst(AnalyserSettings.model_validate({"url": server.url, "timeout_seconds": 5, **settings}))
        made.append(analyst)
        return analyst

    yield make
    for analyst in made:
        await analyst.close()


@pytest.fixture
async def analyst(make_analyst: MakeAnalyst) -> Analyst:
    return await make_analyst()
