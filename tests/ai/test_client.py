import asyncio
import base64
import json

import pytest

from securitycamd.ai import client, stills
from securitycamd.ai.client import Analyst
from securitycamd.ai.parsing import RULES_CONFIDENCE
from securitycamd.domain.errors import AiUnavailableError, AnalysisError
from securitycamd.domain.models import Detection
from securitycamd.settings import AnalyserSettings
from tests.ai.conftest import MakeAnalyst, jpeg
from tests.ollama_server import DESCRIPTION, STRUCTURE, TEXT, OllamaServer, Reply

GOOD = json.dumps(STRUCTURE)


async def test_an_analysis_takes_two_stages(server: OllamaServer, analyst: Analyst, still: bytes) -> None:
    analysis = await analyst.analyse([still, jpeg(1920, 1080)])
    assert analysis.description == DESCRIPTION
    assert analysis.phrase == "Man walking up the driveway"
    assert analysis.objects == (Detection("person", 1), Detection("car", 1))
    assert analysis.person_detected
    assert analysis.confidence == pytest.approx(0.9)

    seen, told = server.chats
    assert seen.model == "moondream"
    assert len(seen.images) == 2
    assert all(len(image) < 200_000 for image in seen.images)
    assert seen.schema is None
    assert "4 seconds" in seen.prompt
    assert told.model == "deepseek-r1"
    assert told.images == []
    assert told.schema
    assert DESCRIPTION in told.prompt
    assert [chat.body["think"] for chat in server.chats] == [False, False]
    assert not any(chat.body["stream"] for chat in server.chats)


async def test_one_still_is_enough_and_none_is_not(server: OllamaServer, analyst: Analyst, still: bytes) -> None:
    await analyst.analyse([still])
    assert len(server.chats[0].images) == 1
    with pytest.raises(AnalysisError, match="no still"):
        await analyst.analyse([])


async def test_a_still_cut_short_never_reaches_the_server(server: OllamaServer, analyst: Analyst, still: bytes) -> None:
    with pytest.raises(AnalysisError, match="cut short"):
        await analyst.analyse([still, still[: len(still) // 2]])
    assert server.chats == []


async def test_thoughts_are_neither_kept_nor_passed_on(server: OllamaServer, analyst: Analyst, still: bytes) -> None:
    server.enqueue(
        Reply(text="<think>A {person}?</think>A dog runs over the lawn."),
        Reply(text=f"<think>No person.</think>{GOOD}"),
    )
    analysis = await analyst.analyse([still])
    assert analysis.description == "A dog runs over the lawn."
    assert "{person}" not in server.chats[1].prompt
    assert analysis.confidence == pytest.approx(0.9)


async def test_a_server_that_refuses_think_is_asked_without(
    server: OllamaServer, analyst: Analyst, still: bytes
) -> None:
    server.refuses_think.add("moondream")
    await analyst.analyse([still])
    await analyst.analyse([still])
    assert [(chat.model, "think" in chat.body) for chat in server.chats] == [
        ("moondream", True),
        ("moondream", False),
        ("deepseek-r1", True),
        # Learned: no further request is wasted.
        ("moondream", False),
        ("deepseek-r1", True),
    ]


async def test_a_broken_structure_is_asked_for_once_more(server: OllamaServer, analyst: Analyst) -> None:
    server.enqueue(Reply(text="<think>Hm.</think>Sure! There is a man."), Reply(text=GOOD))
    reading = await analyst.structure(DESCRIPTION)
    assert not reading.by_rules
    assert reading.phrase == STRUCTURE["phrase"]
    again = server.chats[1].messages
    assert [message["role"] for message in again] == ["system", "user", "assistant", "user"]
    assert again[2]["content"] == "Sure! There is a man."


@pytest.mark.parametrize("garbage", ["", "\x00\ufffd{{{", "no", GOOD[:40]], ids=["empty", "noise", "word", "cut"])
async def test_a_structure_broken_twice_is_read_by_rules(server: OllamaServer, analyst: Analyst, garbage: str) -> None:
    server.always = Reply(text=garbage, done_reason="length")
    reading = await analyst.structure("Two women walk past. No dogs are visible.")
    assert reading.by_rules
    assert reading.person_detected
    assert reading.confidence == RULES_CONFIDENCE
    assert reading.objects == (Detection("person", 2),)
    assert len(server.chats) == 2


async def test_an_empty_description_is_asked_for_once_more(
    server: OllamaServer, analyst: Analyst, still: bytes
) -> None:
    server.enqueue(Reply(text="!!!!!!!!!!"), Reply(text="A cat sits."))
    assert await analyst.describe([still]) == "A cat sits."
    first, second = (chat.body["options"]["temperature"] for chat in server.chats)
    assert first < second


async def test_a_model_without_words_fails_this_event(server: OllamaServer, analyst: Analyst, still: bytes) -> None:
    server.always = Reply(text="GGGGGGGG")
    with pytest.raises(AnalysisError, match="moondream gave no description"):
        await analyst.analyse([still])


async def test_a_long_description_is_bounded(server: OllamaServer, analyst: Analyst, still: bytes) -> None:
    server.enqueue(Reply(text="A dog runs.\x07\n" * 1000, done_reason="length"))
    description = await analyst.describe([still])
    assert len(description) <= 4000
    assert "\x07" not in description


@pytest.mark.parametrize(
    ("reply", "sentence"),
    [
        (Reply.loading(), "loading a model or busy"),
        (Reply(status=429, error="too many requests"), "loading a model or busy"),
        (Reply.failing(), "The AI server failed"),
        (Reply(status=502, body=b"<html>Bad gateway</html>"), "The AI server failed"),
        (Reply(text="", done_reason="load"), "still loading the model moondream"),
        (Reply(text="", done_reason="unload"), "still loading the model moondream"),
        (Reply(cut=True), "broke off"),
        (Reply(status=401, error="unauthorized"), "refuses us"),
        (Reply(status=404, body=b"404 page not found"), "not an Ollama server"),
        (Reply(status=418, error="teapot"), "not an Ollama server"),
        (Reply(body=b"<html>Welcome to nginx!</html>"), "not an Ollama server"),
        (Reply(body=b"[1, 2]"), "not an Ollama server"),
        (Reply(body=b"{}"), "not an Ollama server"),
        (Reply(status=503, body=b'"busy"'), "not an Ollama server"),
        (Reply(location="http://127.0.0.1:9/"), "not an Ollama server"),
        (
            Reply.failing("vision model only supports a single image per message"),
            "only one picture at a time",
        ),
        (Reply.failing("model requires more system memory (5.6 GiB) than is available"), "too little memory"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_what_may_pass_lets_the_event_wait(
    server: OllamaServer, analyst: Analyst, still: bytes, reply: Reply, sentence: str
) -> None:
    server.enqueue(reply)
    with pytest.raises(AiUnavailableError, match=sentence) as caught:
        await analyst.analyse([still])
    # Not a word of the server's or a library's own.
    assert "http" not in str(caught.value)
    assert reply.error is None or reply.error not in str(caught.value)
    # And when it has passed, the same analyst works.
    assert (await analyst.analyse([still])).person_detected


async def test_a_slow_model_is_given_up_on_in_time(
    server: OllamaServer, make_analyst: MakeAnalyst, still: bytes
) -> None:
    analyst = await make_analyst(timeout_seconds=0.3)
    # The second gives signs of life, but would take minutes.
    server.enqueue(Reply(delay_seconds=30), Reply(drip_seconds=0.1))
    for _ in range(2):
        with pytest.raises(AiUnavailableError, match="did not answer in time"):
            await analyst.analyse([still])


async def test_a_server_that_is_away_and_comes_back(server: OllamaServer, analyst: Analyst, still: bytes) -> None:
    await analyst.analyse([still])
    await server.stop()
    with pytest.raises(AiUnavailableError):
        await analyst.analyse([still])
    with pytest.raises(AiUnavailableError, match="is Ollama running there"):
        await analyst.analyse([still])
    await server.start()
    assert (await analyst.analyse([still])).person_detected


async def test_a_server_that_dies_in_the_middle(server: OllamaServer, analyst: Analyst, still: bytes) -> None:
    server.enqueue(Reply(delay_seconds=30))
    analysis = asyncio.create_task(analyst.analyse([still]))
    await server.waiting.wait()
    await server.stop()
    with pytest.raises(AiUnavailableError):
        await analysis


async def test_a_cancelled_analysis_ends_at_once(server: OllamaServer, analyst: Analyst, still: bytes) -> None:
    server.enqueue(Reply(delay_seconds=30))
    analysis = asyncio.create_task(analyst.analyse([still]))
    await server.waiting.wait()
    analysis.cancel()
    with pytest.raises(asyncio.CancelledError):
        await analysis


@pytest.mark.parametrize("model", ["moondream", "deepseek-r1"])
async def test_a_missing_model_waits_and_says_what_to_run(
    server: OllamaServer, analyst: Analyst, still: bytes, model: str
) -> None:
    del server.models[f"{model}:latest"]
    with pytest.raises(AiUnavailableError, match=f"run: ollama pull {model}"):
        await analyst.analyse([still])


async def test_a_vision_model_that_cannot_see_waits_and_says_so(
    server: OllamaServer, make_analyst: MakeAnalyst, still: bytes
) -> None:
    server.models["smollm2:135m"] = TEXT
    analyst = await make_analyst(vision_model="smollm2:135m")
    with pytest.raises(AiUnavailableError, match=r"smollm2:135m cannot see; set analyser\.vision_model"):
        await analyst.analyse([still])


@pytest.mark.parametrize("old", [False, True], ids=["capabilities", "older server"])
async def test_a_still_the_server_rejects_fails_this_event(
    server: OllamaServer, analyst: Analyst, still: bytes, monkeypatch: pytest.MonkeyPatch, *, old: bool
) -> None:
    if old:
        server.models["moondream:latest"] = None
    # Sound for us and not for the server: a picture it has no decoder for.
    monkeypatch.setattr(stills, "prepare_still", lambda _: b"RIFF....WEBP")
    with pytest.raises(AnalysisError, match="does not accept the stills") as caught:
        await analyst.analyse([still])
    assert "Failed to load" not in str(caught.value)


async def test_a_text_model_that_cannot_chat_waits(server: OllamaServer, analyst: Analyst) -> None:
    server.enqueue(Reply(status=400, error='"deepseek-r1" does not support chat'))
    with pytest.raises(AiUnavailableError, match=r"set analyser\.text_model"):
        await analyst.structure(DESCRIPTION)


async def test_a_healthy_server(server: OllamaServer, analyst: Analyst) -> None:
    state = await analyst.check()
    assert (state.reachable, state.missing_models, state.ready) == (True, (), True)
    # No model was loaded for it.
    assert server.chats == []


async def test_missing_models_are_named_with_what_to_run(server: OllamaServer, make_analyst: MakeAnalyst) -> None:
    server.models = {"Moondream:Latest": None}
    analyst = await make_analyst(text_model="qwen3:4b")
    state = await analyst.check()
    assert state.reachable
    assert not state.ready
    assert state.missing_models == ("qwen3:4b",)
    assert state.message.endswith("run: ollama pull qwen3:4b")
    both = await make_analyst(vision_model="a/b:1", text_model="c")
    assert (await both.check()).message.endswith("run: ollama pull a/b:1 && ollama pull c")


async def test_a_server_that_does_not_tell_what_models_can_do_is_trusted(
    server: OllamaServer, analyst: Analyst
) -> None:
    server.overrides["/api/show"] = Reply(status=400, error="no such call")
    assert (await analyst.check()).ready


async def test_a_blind_vision_model_is_noticed(server: OllamaServer, analyst: Analyst) -> None:
    server.models["moondream:latest"] = TEXT
    state = await analyst.check()
    assert state.reachable
    assert not state.ready
    assert "cannot see" in state.message


async def test_one_model_may_serve_for_both(server: OllamaServer, make_analyst: MakeAnalyst, still: bytes) -> None:
    analyst = await make_analyst(text_model="moondream")
    del server.models["deepseek-r1:latest"]
    assert (await analyst.check()).ready
    assert (await analyst.analyse([still])).person_detected


@pytest.mark.parametrize("reply", [Reply.failing(), Reply(status=400, error="no"), Reply(body=b"<html>")])
async def test_a_check_never_raises(server: OllamaServer, analyst: Analyst, reply: Reply) -> None:
    server.overrides["/api/tags"] = reply
    state = await analyst.check()
    assert not state.reachable
    assert not state.ready
    assert state.message.endswith(".")


async def test_a_check_of_a_server_that_is_away_or_hangs(
    server: OllamaServer, analyst: Analyst, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "CHECK_SECONDS", 0.2)
    server.overrides["/api/tags"] = Reply(delay_seconds=30)
    assert "did not answer in time" in (await analyst.check()).message
    await server.stop()
    assert not (await analyst.check()).reachable


async def test_a_password_in_the_address_is_used_and_never_shown(
    server: OllamaServer, make_analyst: MakeAnalyst, still: bytes
) -> None:
    analyst = await make_analyst(url=server.url.replace("://", "://camera:se%3Acret@"))
    await analyst.analyse([still])
    login = base64.b64encode(b"camera:se:cret").decode()
    assert server.chats[0].headers["authorization"] == f"Basic {login}"
    await server.stop()
    assert "cret" not in (await analyst.check()).message


async def test_an_address_that_cannot_be_used_is_said_to_be() -> None:
    analyst = Analyst(AnalyserSettings.model_validate({"url": "http://host:99999"}))
    state = await analyst.check()
    assert not state.reachable
    assert "analyser.url" in state.message


async def test_no_proxy_of_the_environment_sees_footage(
    make_analyst: MakeAnalyst, still: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    analyst = await make_analyst()
    assert (await analyst.analyse([still])).person_detected


async def test_close_twice_and_use_again(analyst: Analyst, still: bytes) -> None:
    await analyst.close()
    await analyst.analyse([still])
    await analyst.close()
    await analyst.close()
