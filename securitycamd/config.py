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
from functools import cached_property
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, Any, Final, Literal
from urllib.parse import parse_qsl, urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PlainValidator, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from securitycamd.domain.names import CAMERA_ID_PATTERN

ENV_PREFIX: Final = "SECURITYCAMD_"
# Names with our prefix that are not settings: where the settings file is, and where the demo keeps its downloads.
ENV_OTHERS: Final = frozenset({"SECURITYCAMD_CONFIG", "SECURITYCAMD_CACHE"})


class SettingsError(Exception):
    """The settings cannot be used; ``problems`` holds one line for each thing that is wrong."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


def _time_zone(name: str) -> str:
    try:
        _zone(name)
    except (OSError, ValueError, ZoneInfoNotFoundError) as error:
        raise ValueError("is not a time zone such as Europe/Berlin") from error
    return name


def _zone(name: str) -> ZoneInfo:
    if name:
        return ZoneInfo(name)
    link = Path("/etc/localtime")
    _, found, key = str(link.resolve()).partition("zoneinfo/")
    return ZoneInfo(key) if found else ZoneInfo("UTC")


def _http_url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("must be an http:// or https:// address")
    return value.rstrip("/")


def _database_url(value: str) -> str:
    try:
        parts = urlsplit(value)
        options = {name for name, _ in parse_qsl(parts.query, keep_blank_values=True)}
        good = parts.scheme == "mysql" and parts.path.strip("/") and options <= {"unix_socket"} and parts.port != 0
    except ValueError:  # brackets or a port that are none
        good = False
    if value and not good:
        raise ValueError("must look like mysql://user:password@host:3306/database")
    return value


def _network(value: object) -> IPv4Network | IPv6Network:
    if isinstance(value, (IPv4Network, IPv6Network)):
        return value
    if not isinstance(value, str):  # a number would be taken for an address
        raise ValueError("must be a network such as 192.168.0.0/16")  # noqa: TRY004 - pydantic reports ValueErrors
    return ip_network(value)


Network = Annotated[IPv4Network | IPv6Network, PlainValidator(_network)]
CameraId = Annotated[str, Field(pattern=CAMERA_ID_PATTERN)]
FrameRate = Annotated[float, Field(gt=0, le=240)]
Seconds = Annotated[float, Field(gt=0, le=86400)]


class Section(BaseModel):
    """A table of the settings file; unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class SiteSettings(Section):
    """Table ``[site]``."""

    name: str = Field("Home", min_length=1, max_length=100)
    time_zone: Annotated[str, AfterValidator(_time_zone)] = ""

    @cached_property
    def zone(self) -> ZoneInfo:
        """The zone of the cameras and of "today"; the machine's own when none is named."""
        return _zone(self.time_zone)


class ServerSettings(Section):
    """Table ``[server]``."""

    host: str = "0.0.0.0"  # noqa: S104 - cameras must reach it; trusted_networks decides who is answered
    port: int = Field(8000, ge=0, le=65535)
    cors_origins: tuple[Annotated[str, AfterValidator(_http_url)], ...] = ()
    max_body_bytes: int = Field(4 * 1024 * 1024, ge=64 * 1024, le=64 * 1024 * 1024)
    max_picture_bytes: int = Field(16 * 1024 * 1024, ge=64 * 1024)
    max_video_bytes: int = Field(512 * 1024 * 1024, ge=1024 * 1024)
    stop_seconds: Annotated[float, Field(gt=0, le=60)] = 3.0


class AgentSettings(Section):
    """Table ``[agents]``."""

    trusted_networks: tuple[Network, ...] = (
        IPv4Network("127.0.0.0/8"),
        IPv4Network("10.0.0.0/8"),
        IPv4Network("172.16.0.0/12"),
        IPv4Network("192.168.0.0/16"),
        IPv6Network("::1/128"),
        IPv6Network("fc00::/7"),
        IPv6Network("fe80::/10"),
    )
    offline_after_seconds: Seconds = 180.0


class StorageSettings(Section):
    """Table ``[storage]``."""

    root: Path = Path("var/footage")
    file_threads: int = Field(4, ge=1, le=64)
    file_timeout_seconds: Seconds = 10.0


class DatabaseSettings(Section):
    """Table ``[database]``."""

    url: Annotated[str, AfterValidator(_database_url)] = ""
    pool_size: int = Field(10, ge=2, le=100)
    wait_seconds: Seconds = 5.0
    statement_seconds: Seconds = 15.0
    buffer_pool_mb: int = Field(64, ge=5, le=65536)


class LoggingSettings(Section):
    """Table ``[logging]``."""

    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    format: Literal["auto", "console", "json"] = "auto"
    keep_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"


class ConverterSettings(Section):
    """Table ``[converter]``."""

    enabled: bool = True
    processes: int = Field(2, ge=1, le=32)
    frame_rate: FrameRate = 15.0
    frame_rates: dict[CameraId, FrameRate] = Field(default_factory=dict)
    timeout_seconds: Seconds = 120.0
    lease_seconds: Annotated[float, Field(ge=2, le=3600)] = 60.0
    missing_after_seconds: Seconds = 600.0

    def frame_rate_of(self, camera_id: str) -> float:
        """Frames a second of a camera's clips: its own, or everyone's."""
        return self.frame_rates.get(camera_id, self.frame_rate)


class AnalyserSettings(Section):
    """Table ``[analyser]``."""

    enabled: bool = True
    url: Annotated[str, AfterValidator(_http_url)] = "http://127.0.0.1:11434"
    vision_model: str = Field("moondream", min_length=1, max_length=200)
    text_model: str = Field("deepseek-r1", min_length=1, max_length=200)
    timeout_seconds: Seconds = 600.0
    concurrency: int = Field(1, ge=1, le=16)
    lease_seconds: Annotated[float, Field(ge=2, le=3600)] = 60.0


class CameraRetention(Section):
    """What holds for one camera in place of what holds for all."""

    max_age_days: Annotated[float | None, Field(ge=0, le=36500)] = None
    max_gigabytes: Annotated[float | None, Field(ge=0, le=1_000_000)] = None


class RetentionSettings(Section):
    """``[retention]``; 0 is no limit."""

    enabled: bool = True
    max_age_days: Annotated[float, Field(ge=0, le=36500)] = 0.0
    max_gigabytes: Annotated[float, Field(ge=0, le=1_000_000)] = 0.0
    free_floor_gigabytes: Annotated[float, Field(ge=0, le=1_000_000)] = 2.0
    cameras: dict[CameraId, CameraRetention] = Field(default_factory=dict)
    log_days: int = Field(30, ge=0, le=36500)


class Settings(BaseSettings):
    """All settings. Paths that are not absolute are relative to the folder the daemon starts in."""

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX, env_nested_delimiter="__", extra="forbid", frozen=True, validate_default=True
    )

    state_directory: Path = Path("var/state")
    site: SiteSettings = SiteSettings()
    server: ServerSettings = ServerSettings()
    agents: AgentSettings = AgentSettings()
    storage: StorageSettings = StorageSettings()
    database: DatabaseSettings = DatabaseSettings()
    logging: LoggingSettings = LoggingSettings()
    converter: ConverterSettings = ConverterSettings()
    analyser: AnalyserSettings = AnalyserSettings()
    retention: RetentionSettings = RetentionSettings()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - the signature is the library's
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment wins over the file, whose content arrives as keyword arguments."""
        return env_settings, init_settings


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
    try:
        settings = Settings(**_merged(content, overrides or {}))
    except ValidationError as error:
        problems += [_problem(item["loc"], item["input"], item["msg"]) for item in error.errors()]
    except ValueError as error:  # a variable that should hold JSON and does not
        problems += _broken_json() or [f"environment: {error}"]
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


def _broken_json() -> list[str]:
    """The variables that name a section, a list or a table, and whose value is not JSON."""
    problems = []
    for name, value in _variables():
        section, _, key = name.upper().removeprefix(ENV_PREFIX).lower().partition("__")
        default = Settings.model_fields[section].default if section in Settings.model_fields else None
        if key:
            default = getattr(default, key, None)
        if isinstance(default, (Section, tuple, dict)):
            try:
                json.loads(value)
            except ValueError:
                problems.append(f"{name} = {_shown(name, value)}: must be JSON")
    return problems


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
    "analyser.concurrency",
    "analyser.lease_seconds",
    "analyser.text_model",
    "analyser.timeout_seconds",
    "analyser.url",
    "analyser.vision_model",
    "converter.frame_rate",
    "converter.frame_rates",
    "converter.lease_seconds",
    "converter.missing_after_seconds",
    "converter.processes",
    "converter.timeout_seconds",
    "logging.level",
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


class SettingsHolder:
    """The settings in force; what may change live is read from here at each use."""

    def __init__(self, settings: Settings) -> None:
        self.current = settings
