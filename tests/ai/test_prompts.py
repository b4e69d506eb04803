from securitycamd.ai import prompts
from securitycamd.ai.parsing import _Reply, _Thing
from securitycamd.domain.names import Category


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
    assert "two pictures" in prompts.vision_prompt(2)
    assert "two pictures" not in prompts.vision_prompt(1)
