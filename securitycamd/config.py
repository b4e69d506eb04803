"""Settings: a TOML file, then ``SECURITYCAMD_*`` of the environment, validated as one.

Errors name key, value and reason.

Environment names join section and key with two underscores: ``SECURITYCAMD_DATABASE__URL``. Lists and tables are given
as JSON. Every key is described in ``config/securitycamd.toml``; a test holds that file complete and its values equal to
the defaults here.
"""

import json
import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ValidationError

from securitycamd.settings import (
    Section,
    Settings,
)

ENV_PREFIX: Final = "SECURITYCAMD_"
# Names with our prefix that are not settings: where the settings file is, and where the demo keeps its downloads.
ENV_OTHERS: Final = frozenset({"SECURITYCAMD_CONFIG", "SECURITYCAMD_CACHE"})


class SettingsError(Exception):
    """The settings cannot be used; ``problems`` holds one line for each thing that is wrong."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


def load_settings(path: Path | None, *, overrides: Mapping[str, Any] | None = None) -> Settings:
    """Read and validate the settings.

    Args:
        path: the TOML file; ``None`` for the defaults and the environment alone.
        overrides: values of the command line, nested like the file; they win over it, not over the environment.

    Raises:
        SettingsError: with a line ``key = value: reason`` for everything that is wrong.
    """
    content: dict[str, Any] = {}
    if path is not None:
        try:
            content = tomllib.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise SettingsError([f"{path}: cannot be read: {error.strerror}"]) from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise SettingsError([f"{path}: is not valid TOML: {error}"]) from error
    problems = _unknown_variables()
    environment, broken = _environment()
    problems += broken
    try:
        settings = Settings.model_validate(_merged(_merged(content, overrides or {}), environment))
    except ValidationError as error:
        problems += [_problem(item["loc"], item["input"], item["msg"]) for item in error.errors()]
    else:
        if not problems:
            _ = settings.site.zone  # now, so that nothing reads the zone's file on the event loop
            return settings
    raise SettingsError(problems)


def _merged(base: Mapping[str, Any], top: Mapping[str, Any]) -> dict[str, Any]:
    result = dict(base)
    for key, value in top.items():
        below = result.get(key)
        both = isinstance(below, Mapping) and isinstance(value, Mapping)
        result[key] = _merged(below, value) if both else value  # type: ignore[arg-type]  # both are Mappings
    return result


def _unknown_variables() -> list[str]:
    known = {f"{ENV_PREFIX}{name}".upper() for name in Settings.model_fields}
    return [
        f"{name} = {_shown(name, value)}: no such setting"
        for name, value in _variables()
        if name.upper().split("__")[0] not in known
    ]


def _variables() -> list[tuple[str, str]]:
    return [
        (name, value)
        for name, value in sorted(os.environ.items())
        if name.upper().startswith(ENV_PREFIX) and name.upper() not in ENV_OTHERS
    ]


def _environment() -> tuple[dict[str, Any], list[str]]:
    """The settings that variables give, nested like the file; and a line for each that is not the JSON it should be."""
    given: dict[str, Any] = {}
    problems = []
    for name, value in _variables():
        section, _, key = name.upper().removeprefix(ENV_PREFIX).lower().partition("__")
        if section not in Settings.model_fields:
            continue  # told as unknown
        default = Settings.model_fields[section].default
        if key:
            default = getattr(default, key, None)
        read: Any = value
        if isinstance(default, (BaseModel, tuple, dict)):
            try:
                read = json.loads(value)
            except ValueError:
                problems.append(f"{name} = {_shown(name, value)}: must be JSON")
                continue
        given = _merged(given, {section: {key: read}} if key else {section: read})
    return given, problems


def _shown(key: str, value: object) -> str:
    # A password must not travel into logs with the complaint about the key it stands in, or was meant for.
    text = repr(value)
    secret = re.search(r"url|password|secret|token", key, re.IGNORECASE) or re.search(r"://[^/]*@", text)
    return "(hidden)" if secret else text


def _problem(location: tuple[int | str, ...], value: object, message: str) -> str:
    key = ".".join(str(part) for part in location)
    reason = message.removeprefix("Value error, ").removeprefix("Input ")
    if message.startswith("Extra inputs"):
        reason = "no such setting"
    if "valid dictionary" in message:
        reason = "must be a table of keys"
    return f"{key} = {_shown(key, value)}: {reason[0].lower()}{reason[1:]}"


# What SIGHUP applies to a running daemon; everything else needs a restart.
LIVE_KEYS: Final = frozenset({
    "agents.trusted_networks",
    "agents.offline_after_seconds",
    "agents.ports",
    "agents.files_overdue_seconds",
    "agents.status_seconds",
    "agents.timeout_seconds",
    "analyser.concurrency",
    "analyser.keep_alive",
    "analyser.lease_seconds",
    "analyser.one_call",
    "analyser.still_longest_side",
    "analyser.still_quality",
    "analyser.text_model",
    "analyser.text_prompt",
    "analyser.timeout_seconds",
    "analyser.url",
    "analyser.vision_model",
    "analyser.vision_prompt",
    "converter.frame_rate",
    "converter.frame_rates",
    "converter.lease_seconds",
    "converter.missing_after_seconds",
    "converter.processes",
    "converter.stills_after_seconds",
    "converter.timeout_seconds",
    "digest.enabled",
    "digest.language",
    "digest.time",
    "digest.words",
    "live.grace_seconds",
    "live.max_frame_bytes",
    "live.max_minutes",
    "live.max_viewers",
    "live.stall_seconds",
    "logging.level",
    "optimiser.bits_per_second",
    "optimiser.crf",
    "optimiser.enabled",
    "optimiser.encoder",
    "optimiser.lease_seconds",
    "optimiser.max_height",
    "optimiser.min_age_hours",
    "optimiser.preset",
    "optimiser.timeout_seconds",
    "optimiser.window_end",
    "optimiser.window_start",
    "retention.cameras",
    "retention.enabled",
    "retention.free_floor_gigabytes",
    "retention.log_days",
    "retention.max_age_days",
    "retention.max_gigabytes",
    "server.cors_origins",
    "server.max_picture_bytes",
    "server.max_video_bytes",
    "site.name",
    "storage.scan_hours",
})  # fmt: skip


def changed_keys(old: Settings, new: Settings) -> list[str]:
    """The dotted names of the settings that differ."""
    before, after = _flat(old.model_dump()), _flat(new.model_dump())
    return sorted(key for key in before.keys() | after.keys() if before.get(key) != after.get(key))


def _flat(values: Mapping[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for section, content in values.items():
        if isinstance(content, Mapping):
            flat |= {f"{section}.{key}": value for key, value in content.items()}
        else:
            flat[section] = content
    return flat


def live_settings(old: Settings, new: Settings) -> Settings:
    """``old`` with what :data:`LIVE_KEYS` names taken from ``new``."""
    sections: dict[str, Any] = {}
    for name, section in old:
        if isinstance(section, Section):
            fresh = getattr(new, name)
            live = {key: getattr(fresh, key) for key in type(section).model_fields if f"{name}.{key}" in LIVE_KEYS}
            sections[name] = section.model_copy(update=live)
    return old.model_copy(update=sections)


def differing(settings: Settings) -> dict[str, str]:
    """The settings that are not the defaults, by their dotted names, as they may be shown to people."""
    values = _flat(settings.model_dump(mode="json"))
    return {key: _told(key, values.get(key)) for key in changed_keys(Settings(), settings)}


def _told(key: str, value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    if re.search(r"password|secret|token", key, re.IGNORECASE):
        return "(hidden)"
    # Of an address all but who asks and with which password.
    return re.sub(r"://[^/@\s]*@", "://(hidden)@", text)


@dataclass(frozen=True, slots=True)
class LastReload:
    """What the last reload of the settings came to."""

    at: datetime
    problems: tuple[str, ...]
    """With any, the old settings stayed in force."""
    applied: tuple[str, ...]
    later: tuple[str, ...]
    """What needs a restart."""


class SettingsHolder:
    """The settings in force; what may change live is read from here at each use."""

    def __init__(self, settings: Settings) -> None:
        self.current = settings
        self.last_reload: LastReload | None = None
