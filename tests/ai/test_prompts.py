from securitycamd.ai import prompts
from securitycamd.ai.parsing import _Reply, _Thing, _WholeReply
from securitycamd.domain.names import Category
from securitycamd.settings import AnalyserSettings

SETTINGS = AnalyserSettings.model_validate({})


def test_the_schema_asks_for_what_the_parser_reads() -> None:
    properties = prompts.REPLY_SCHEMA["properties"]
    assert isinstance(properties, dict)
    assert list(properties) == list(_Reply.model_fields) == prompts.REPLY_SCHEMA["required"]
    assert properties["objects"]["items"]["required"] == list(_Thing.model_fields)
    own = _Reply.model_json_schema()["properties"]
    assert {key: value["type"] for key, value in properties.items()} == {
        key: value["type"] for key, value in own.items()
    }


def test_the_prompts_name_every_category() -> None:
    for category in Category:
        assert str(category) in prompts.TEXT_SYSTEM_PROMPT
        assert str(category) in prompts.TEXT_REPEAT_PROMPT


def test_prompts_name_every_key() -> None:
    for key in _Reply.model_fields:
        assert key in prompts.TEXT_SYSTEM_PROMPT
        assert key in prompts.TEXT_REPEAT_PROMPT


def test_a_description_with_braces_is_only_text() -> None:
    assert "{0} {x!r}" in prompts.text_prompt("{0} {x!r}")


def test_one_still_is_not_called_two() -> None:
    assert "two pictures" in prompts.vision_prompt(SETTINGS, 2)
    assert "two pictures" not in prompts.vision_prompt(SETTINGS, 1)


def test_in_one_call_the_description_is_asked_for_first() -> None:
    properties = prompts.ONE_CALL_SCHEMA["properties"]
    assert isinstance(properties, dict)
    assert list(properties) == ["description", *_Reply.model_fields] == prompts.ONE_CALL_SCHEMA["required"]
    assert set(properties) == set(_WholeReply.model_fields)
    for key in properties:
        assert key in prompts.ONE_CALL_PROMPT
        assert key in prompts.ONE_CALL_REPEAT_PROMPT


def test_two_stills_that_are_the_same_are_said_to_be() -> None:
    assert "exactly the same" in prompts.vision_prompt(SETTINGS, 1, identical=True)


def test_texts_of_ones_own_take_the_place_of_the_built_in_ones() -> None:
    own = SETTINGS.model_copy(update={"vision_prompt": "What is there?", "text_prompt": "Say it as JSON."})
    assert prompts.vision_prompt(own, 2) == "What is there?"
    assert prompts.system_prompt(own) == "Say it as JSON."
    assert prompts.system_prompt(SETTINGS) == prompts.TEXT_SYSTEM_PROMPT


def test_the_version_tells_texts_of_ones_own_apart() -> None:
    assert prompts.prompt_version(SETTINGS) == prompts.PROMPT_VERSION
    versions = {
        prompts.prompt_version(SETTINGS.model_copy(update=change))
        for change in ({"vision_prompt": "A"}, {"vision_prompt": "B"}, {"text_prompt": "A"}, {})
    }
    assert len(versions) == 4
    assert all(version.startswith(prompts.PROMPT_VERSION) and len(version) <= 40 for version in versions)
