import asyncio
import base64
import json
from collections.abc import Sequence
from io import BytesIO

import pytest
from PIL import Image

from securitycamd.ai import client, stills
from securitycamd.ai.client import Analyst, Exchange
from securitycamd.ai.parsing import NOTHING_TO_SEE, RULES_CONFIDENCE, combine
from securitycamd.ai.stills import PreparedStills
from securitycamd.domain.errors import AiFaultError, AiSetupError, AiUnavailableError, AnalysisError
from securitycamd.domain.models import Analysis, Detection
from securitycamd.domain.names import Category, ReadBy, StillNote
from securitycamd.settings import AnalyserSettings
from tests.ai.conftest import MakeAnalyst, black, jpeg
from tests.ollama_server import DESCRIPTION, STRUCTURE, TEXT, OllamaServer, Reply

GOOD = json.dumps(STRUCTURE)


async def analysed(analyst: Analyst, pictures: Sequence[bytes]) -> Analysis:
    """Both stages, one after the other."""
    seen = await analyst.describe(pictures)
    return combine(seen.description, (await analyst.structured(seen)).reading)


async def test_an_analysis_takes_two_stages(server: OllamaServer, analyst: Analyst, still: bytes) -> None:
    analysis = await analysed(analyst, [still, jpeg(1920, 1080)])
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
    assert not any("keep_alive" in chat.body for chat in server.chats)
    assert [chat.body["think"] for chat in server.chats] == [False, False]
    assert not any(chat.body["stream"] for chat in server.chats)


async def test_one_still_is_enough_and_none_is_not(server: OllamaServer, analyst: Analyst, still: bytes) -> None:
    await analysed(analyst, [still])
    assert len(server.chats[0].images) == 1
    with pytest.raises(AnalysisError, match="no still"):
        await analysed(analyst, [])


async def test_a_still_cut_short_never_reaches_the_server(server: OllamaServer, analyst: Analyst, still: bytes) -> None:
    with pytest.raises(AnalysisError, match="cut short"):
        await analysed(analyst, [still, still[: len(still) // 2]])
    assert server.chats == []


async def test_thoughts_are_neither_kept_nor_passed_on(server: OllamaServer, analyst: Analyst, still: bytes) -> None:
    server.enqueue(
        Reply(text="<think>A {person}?</think>A dog runs over the lawn."),
        Reply(text=f"<think>No person.</think>{GOOD}"),
    )
    analysis = await analysed(analyst, [still])
    assert analysis.description == "A dog runs over the lawn."
    assert "{person}" not in server.chats[1].prompt
    assert analysis.confidence == pytest.approx(0.9)


async def test_a_server_that_refuses_think_is_asked_without(
    server: OllamaServer, analyst: Analyst, still: bytes
) -> None:
    server.refuses_think.add("moondream")
    await analysed(analyst, [still])
    await analysed(analyst, [still])
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
    reading = (await analyst.structure(DESCRIPTION)).reading
    assert reading.read_by is ReadBy.REPEAT
    assert reading.phrase == STRUCTURE["phrase"]
    again = server.chats[1].messages
    assert [message["role"] for message in again] == ["system", "user", "assistant", "user"]
    assert again[2]["content"] == "Sure! There is a man."


@pytest.mark.parametrize("garbage", ["", "\x00\ufffd{{{", "no", GOOD[:40]], ids=["empty", "noise", "word", "cut"])
async def test_a_structure_broken_twice_is_read_by_rules(server: OllamaServer, analyst: Analyst, garbage: str) -> None:
    server.always = Reply(text=garbage, done_reason="length")
    reading = (await analyst.structure("Two women walk past. No dogs are visible.")).reading
    assert reading.read_by is ReadBy.RULES
    assert reading.person_detected
    assert reading.confidence == RULES_CONFIDENCE
    assert reading.objects == (Detection("person", 2),)
    assert len(server.chats) == 2


async def test_an_empty_description_is_asked_for_once_more(
    server: OllamaServer, analyst: Analyst, still: bytes
) -> None:
    server.enqueue(Reply(text="!!!!!!!!!!"), Reply(text="A cat sits."))
    assert (await analyst.describe([still])).description == "A cat sits."
    first, second = (chat.body["options"]["temperature"] for chat in server.chats)
    assert first < second


async def test_a_model_without_words_fails_this_event(server: OllamaServer, analyst: Analyst, still: bytes) -> None:
    server.always = Reply(text="GGGGGGGG")
    with pytest.raises(AnalysisError, match="moondream gave no description"):
        await analysed(analyst, [still])


async def test_a_long_description_is_bounded(server: OllamaServer, analyst: Analyst, still: bytes) -> None:
    server.enqueue(Reply(text="A dog runs.\x07\n" * 1000, done_reason="length"))
    description = (await analyst.describe([still])).description
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
        await analysed(analyst, [still])
    # Not a word of the server's or a library's own.
    assert "http" not in str(caught.value)
    assert reply.error is None or reply.error not in str(caught.value)
    # And when it has passed, the same analyst works.
    assert (await analysed(analyst, [still])).person_detected


async def test_a_slow_model_is_given_up_on_in_time(
    server: OllamaServer, make_analyst: MakeAnalyst, still: bytes
) -> None:
    analyst = await make_analyst(timeout_seconds=0.3)
    # The second gives signs of life, but would take minutes.
    server.enqueue(Reply(delay_seconds=30), Reply(drip_seconds=0.1))
    for _ in range(2):
        with pytest.raises(AiUnavailableError, match="did not answer in time"):
            await analysed(analyst, [still])


async def test_a_server_that_is_away_and_comes_back(server: OllamaServer, analyst: Analyst, still: bytes) -> None:
    await analysed(analyst, [still])
    await server.stop()
    with pytest.raises(AiUnavailableError):
        await analysed(analyst, [still])
    with pytest.raises(AiUnavailableError, match="is Ollama running there"):
        await analysed(analyst, [still])
    await server.start()
    assert (await analysed(analyst, [still])).person_detected


async def test_a_server_that_dies_in_the_middle(server: OllamaServer, analyst: Analyst, still: bytes) -> None:
    server.enqueue(Reply(delay_seconds=30))
    analysis = asyncio.create_task(analysed(analyst, [still]))
    await server.waiting.wait()
    await server.stop()
    with pytest.raises(AiUnavailableError):
        await analysis


async def test_a_cancelled_analysis_ends_at_once(server: OllamaServer, analyst: Analyst, still: bytes) -> None:
    server.enqueue(Reply(delay_seconds=30))
    analysis = asyncio.create_task(analysed(analyst, [still]))
    await server.waiting.wait()
    analysis.cancel()
    with pytest.raises(asyncio.CancelledError):
        await analysis


@pytest.mark.parametrize("model", ["moondream", "deepseek-r1"])
async def test_a_missing_model_waits_and_says_what_to_run(
    server: OllamaServer, analyst: Analyst, still: bytes, model: str
) -> None:
    del server.models[f"{model}:latest"]
    with pytest.raises(AiUnavailableError, match=f"lacks the model {model}; run: securitycamd ai pull"):
        await analysed(analyst, [still])


async def test_a_vision_model_that_cannot_see_waits_and_says_so(
    server: OllamaServer, make_analyst: MakeAnalyst, still: bytes
) -> None:
    server.models["smollm2:135m"] = TEXT
    analyst = await make_analyst(vision_model="smollm2:135m")
    with pytest.raises(AiUnavailableError, match=r"smollm2:135m cannot see; set analyser\.vision_model"):
        await analysed(analyst, [still])


@pytest.mark.parametrize("old", [False, True], ids=["capabilities", "older server"])
async def test_a_still_the_server_rejects_fails_this_event(
    server: OllamaServer, analyst: Analyst, still: bytes, monkeypatch: pytest.MonkeyPatch, *, old: bool
) -> None:
    if old:
        server.models["moondream:latest"] = None
    # Sound for us and not for the server: a picture it has no decoder for.
    monkeypatch.setattr(stills, "prepare_stills", lambda *_, **__: PreparedStills((b"RIFF....WEBP",), ()))
    with pytest.raises(AnalysisError, match="does not accept the stills") as caught:
        await analysed(analyst, [still])
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
    assert state.message == "The AI server lacks the model qwen3:4b; run: securitycamd ai pull"
    both = await make_analyst(vision_model="a/b:1", text_model="c")
    assert "lacks the models a/b:1 and c; run:" in (await both.check()).message


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
    assert (await analysed(analyst, [still])).person_detected


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
    await analysed(analyst, [still])
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
    assert (await analysed(analyst, [still])).person_detected


async def test_close_twice_and_use_again(analyst: Analyst, still: bytes) -> None:
    await analyst.close()
    await analysed(analyst, [still])
    await analyst.close()
    await analyst.close()


WHOLE = json.dumps({"description": DESCRIPTION, **STRUCTURE})


async def test_in_one_call_the_vision_model_does_it_all(
    server: OllamaServer, make_analyst: MakeAnalyst, still: bytes
) -> None:
    del server.models["deepseek-r1:latest"]
    analyst = await make_analyst(one_call=True)
    assert (await analyst.check()).ready, "the text model is not needed"
    server.enqueue(Reply(text=WHOLE))
    seen = await analyst.describe([still, jpeg(1920, 1080)])
    assert seen.description == DESCRIPTION
    assert seen.reading is not None
    assert seen.reading.category is Category.PERSON
    assert seen.reading.read_by is ReadBy.SCHEMA
    (chat,) = server.chats
    assert (chat.model, len(chat.images)) == ("moondream", 2)
    assert chat.schema
    assert "4 seconds" in chat.prompt


async def test_in_one_call_a_broken_reply_is_asked_for_once_more_with_the_stills(
    server: OllamaServer, make_analyst: MakeAnalyst, still: bytes
) -> None:
    analyst = await make_analyst(one_call=True)
    server.enqueue(Reply(text="A man."), Reply(text=WHOLE))
    seen = await analyst.describe([still])
    assert seen.reading is not None
    assert seen.reading.read_by is ReadBy.REPEAT
    again = server.chats[1]
    assert [message["role"] for message in again.messages] == ["user", "assistant", "user"]
    assert len(again.messages[0]["images"]) == 1


async def test_in_one_call_a_model_that_follows_no_schema_is_asked_for_prose(
    server: OllamaServer, make_analyst: MakeAnalyst, still: bytes
) -> None:
    analyst = await make_analyst(one_call=True)
    server.enqueue(Reply(text="no"), Reply(text="no"), Reply(text="Two women walk past."))
    analysis = await analysed(analyst, [still])
    assert (analysis.description, analysis.person_detected) == ("Two women walk past.", True)
    assert [bool(chat.schema) for chat in server.chats] == [True, True, False]


async def test_black_stills_are_not_sent(server: OllamaServer, analyst: Analyst) -> None:
    seen = await analyst.describe([black(), black()])
    assert seen.model is None
    assert seen.description == NOTHING_TO_SEE
    assert seen.stills == (StillNote.BLACK_A, StillNote.BLACK_B)
    assert seen.reading is not None
    assert seen.reading.read_by is ReadBy.STILLS
    assert not seen.reading.person_detected
    assert server.chats == []


async def test_of_a_black_and_a_good_still_the_good_one_is_sent(
    server: OllamaServer, analyst: Analyst, still: bytes
) -> None:
    seen = await analyst.describe([black(), still])
    assert seen.stills == (StillNote.BLACK_A,)
    assert len(server.chats[0].images) == 1
    assert "a picture from" in server.chats[0].prompt


async def test_of_two_that_are_the_same_one_is_sent(server: OllamaServer, analyst: Analyst, still: bytes) -> None:
    seen = await analyst.describe([still, still])
    assert seen.stills == (StillNote.IDENTICAL,)
    assert len(server.chats[0].images) == 1
    assert "exactly the same" in server.chats[0].prompt


async def test_one_still_is_noted(analyst: Analyst, still: bytes) -> None:
    assert (await analyst.describe([still])).stills == (StillNote.SINGLE,)


async def test_times_and_models_are_told(server: OllamaServer, analyst: Analyst, still: bytes) -> None:
    server.enqueue(Reply(delay_seconds=0.2), Reply(delay_seconds=0.2))
    seen = await analyst.describe([still])
    structured = await analyst.structure(seen.description)
    assert (seen.model, structured.model) == ("moondream", "deepseek-r1")
    assert 0.2 <= seen.seconds < 20
    assert 0.2 <= structured.seconds < 20


@pytest.mark.parametrize(("setting", "sent"), [("30m", "30m"), ("0", 0), ("-1", -1), ("90", 90)])
async def test_how_long_a_model_stays_is_said(
    server: OllamaServer, make_analyst: MakeAnalyst, still: bytes, setting: str, sent: object
) -> None:
    analyst = await make_analyst(keep_alive=setting)
    await analysed(analyst, [still])
    assert [chat.body["keep_alive"] for chat in server.chats] == [sent, sent]


async def test_size_and_quality_of_stills_are_settings(server: OllamaServer, make_analyst: MakeAnalyst) -> None:
    small = await make_analyst(still_longest_side=160, still_quality=30)
    await small.describe([jpeg(1920, 1080)])
    with Image.open(BytesIO(server.chats[0].images[0])) as picture:
        assert picture.size == (160, 90)


async def test_who_tries_out_models_is_shown_every_exchange(server: OllamaServer, still: bytes) -> None:
    seen: list[Exchange] = []
    analyst = Analyst(AnalyserSettings.model_validate({"url": server.url}), on_exchange=seen.append)
    server.enqueue(Reply(text="<think>hm</think>A cat sits."), Reply(text="no"), Reply())
    await analysed(analyst, [still])
    assert [(each.model, each.pictures) for each in seen] == [("moondream", 1), ("deepseek-r1", 0), ("deepseek-r1", 0)]
    assert [each.reply for each in seen] == ["A cat sits.", "no", GOOD]
    server.enqueue(Reply(text="A quiet day."))
    assert await analyst.summarise("Write a report.") == "A quiet day."
    await analyst.close()
    assert (seen[-1].model, seen[-1].reply) == ("deepseek-r1", "A quiet day.")


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (Reply.loading(), AiUnavailableError),
        (Reply.failing(), AiFaultError),
        (Reply(cut=True), AiFaultError),
        (Reply(body=b"noise"), AiFaultError),
        (Reply(status=401, error="no"), AiSetupError),
        (Reply.failing("model requires more system memory (5 GiB)"), AiSetupError),
        (Reply.failing("vision model only supports a single image"), AiSetupError),
        (Reply(status=404, error="model 'moondream' not found"), AiSetupError),
    ],
)
async def test_failures_are_told_apart(
    server: OllamaServer, analyst: Analyst, still: bytes, reply: Reply, kind: type[AiUnavailableError]
) -> None:
    server.enqueue(reply)
    with pytest.raises(AiUnavailableError) as caught:
        await analyst.describe([still])
    assert type(caught.value) is kind


async def test_an_endless_reply_is_cut(
    server: OllamaServer, analyst: Analyst, still: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    from securitycamd.ai import server as ai_server

    monkeypatch.setattr(ai_server, "REPLY_LIMIT_BYTES", 10_000)
    server.enqueue(Reply(body=b"x" * 20_000))
    with pytest.raises(AiFaultError):
        await analyst.describe([still])


async def test_a_model_is_pulled_with_progress(server: OllamaServer, analyst: Analyst) -> None:
    del server.models["moondream:latest"]
    seen = [progress async for progress in analyst.pull("moondream")]
    assert seen[0].status == "pulling manifest"
    assert any(progress.completed_bytes and progress.total_bytes for progress in seen)
    assert seen[-1].status == "success"
    assert (await analyst.check()).ready


async def test_a_model_that_does_not_exist_cannot_be_pulled(server: OllamaServer, analyst: Analyst) -> None:
    server.unknown_models.add("moondrean")
    with pytest.raises(AnalysisError, match="cannot fetch moondrean: pull model manifest: file does not exist"):
        async for _ in analyst.pull("moondrean"):
            pass
