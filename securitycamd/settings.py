"""What can be set, table by table, with its bounds and defaults. ``config/securitycamd.toml`` describes every key."""

import datetime as dt
import re
from functools import cached_property
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import parse_qsl, urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PlainValidator

from securitycamd.domain.names import CAMERA_ID_PATTERN
from securitycamd.domain.windows import DailyWindow, read_clock

_KEEP_ALIVE = re.compile(r"-?\d{1,9}(?:s|m|h)?")


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


def _keep_alive(value: str) -> str:
    if value and _KEEP_ALIVE.fullmatch(value) is None:
        raise ValueError('must be a time such as "30m" or "24h", "0" (at once), "-1" (never), or empty')
    return value


def _clock(value: str) -> str:
    read_clock(value)
    return value


def _height(value: int) -> int:
    if value and (value < 16 or value % 2 or value > 8640):
        raise ValueError("must be 0 (as it is) or an even number from 16 to 8640")
    return value


def _network(value: object) -> IPv4Network | IPv6Network:
    if isinstance(value, (IPv4Network, IPv6Network)):
        return value
    if not isinstance(value, str):  # a number would be taken for an address
        raise ValueError("must be a network such as 192.168.0.0/16")  # noqa: TRY004 - pydantic reports ValueErrors
    return ip_network(value)


Network = Annotated[IPv4Network | IPv6Network, PlainValidator(_network)]
CameraId = Annotated[str, Field(pattern=CAMERA_ID_PATTERN)]
Clock = Annotated[str, AfterValidator(_clock)]
FrameRate = Annotated[float, Field(gt=0, le=240)]
Seconds = Annotated[float, Field(gt=0, le=86400)]
Prompt = Annotated[str, Field(max_length=8000)]


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


class AgentPorts(Section):
    """Where an agent's control API and its stream are."""

    control: int = Field(ge=1, le=65535)
    stream: int = Field(ge=1, le=65535)


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
    files_overdue_seconds: Annotated[float, Field(ge=5, le=86400)] = 90.0
    status_seconds: Annotated[float, Field(ge=0, le=86400)] = 300.0
    ports: Annotated[tuple[AgentPorts, ...], Field(min_length=1, max_length=8)] = (
        AgentPorts(control=5000, stream=8080),
        AgentPorts(control=8001, stream=8002),
    )
    timeout_seconds: Annotated[float, Field(gt=0, le=60)] = 5.0


class StorageSettings(Section):
    """Table ``[storage]``."""

    root: Path = Path("var/footage")
    file_threads: int = Field(4, ge=1, le=64)
    file_timeout_seconds: Seconds = 10.0
    scan_hours: Annotated[float, Field(gt=0, le=24 * 30)] = 6.0


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
    stills_after_seconds: Seconds = 120.0

    def frame_rate_of(self, camera_id: str) -> float:
        """Frames a second of a camera's clips: its own, or everyone's."""
        return self.frame_rates.get(camera_id, self.frame_rate)


class OptimiserSettings(Section):
    """Table ``[optimiser]``."""

    enabled: bool = True
    window_start: Clock = "01:00"
    window_end: Clock = "07:00"
    min_age_hours: Annotated[float, Field(ge=0, le=24 * 366)] = 1.0
    encoder: str = Field("auto", pattern=r"^(auto|libx264|h264_[a-z0-9]+)$")
    preset: Literal["ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow"] = (
        "veryfast"
    )
    crf: int = Field(28, ge=0, le=51)
    bits_per_second: int = Field(1_000_000, ge=50_000, le=100_000_000)
    max_height: Annotated[int, AfterValidator(_height)] = 0
    timeout_seconds: Seconds = 3600.0
    lease_seconds: Annotated[float, Field(ge=2, le=3600)] = 60.0

    # Not cached: a reload copies what is cached with the rest.
    @property
    def window(self) -> DailyWindow:
        """When it works, on the site's clock."""
        return DailyWindow(read_clock(self.window_start), read_clock(self.window_end))


class AnalyserSettings(Section):
    """Table ``[analyser]``."""

    enabled: bool = True
    url: Annotated[str, AfterValidator(_http_url)] = "http://127.0.0.1:11434"
    vision_model: str = Field("moondream", min_length=1, max_length=200)
    text_model: str = Field("deepseek-r1", min_length=1, max_length=200)
    one_call: bool = False
    timeout_seconds: Seconds = 600.0
    keep_alive: Annotated[str, AfterValidator(_keep_alive)] = ""
    still_longest_side: int = Field(960, ge=64, le=8192)
    still_quality: int = Field(85, ge=1, le=95)
    vision_prompt: Prompt = ""
    text_prompt: Prompt = ""
    concurrency: int = Field(1, ge=1, le=16)
    lease_seconds: Annotated[float, Field(ge=2, le=3600)] = 60.0

    @property
    def models(self) -> tuple[str, ...]:
        """The models that are needed, each once."""
        names = (self.vision_model,) if self.one_call else (self.vision_model, self.text_model)
        return tuple(dict.fromkeys(names))


class DigestSettings(Section):
    """Table ``[digest]``."""

    enabled: bool = True
    time: Clock = "07:00"
    language: str = Field("English", min_length=2, max_length=40)
    words: int = Field(120, ge=20, le=500)

    @property
    def at(self) -> dt.time:
        """When yesterday's report is due, on the site's clock."""
        return read_clock(self.time)


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


class LiveSettings(Section):
    """Table ``[live]``."""

    grace_seconds: Annotated[float, Field(ge=0, le=600)] = 10.0
    max_minutes: Annotated[float, Field(gt=0, le=30)] = 30.0
    max_viewers: int = Field(100, ge=1, le=10_000)
    stall_seconds: Annotated[float, Field(ge=1, le=300)] = 10.0
    max_frame_bytes: int = Field(4 * 1024 * 1024, ge=64 * 1024, le=32 * 1024 * 1024)


class Settings(BaseModel):
    """All settings. Paths that are not absolute are relative to the folder the daemon starts in."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    state_directory: Path = Path("var/state")
    site: SiteSettings = SiteSettings()
    server: ServerSettings = ServerSettings()
    agents: AgentSettings = AgentSettings()
    live: LiveSettings = LiveSettings()
    storage: StorageSettings = StorageSettings()
    database: DatabaseSettings = DatabaseSettings()
    logging: LoggingSettings = LoggingSettings()
    converter: ConverterSettings = ConverterSettings()
    analyser: AnalyserSettings = AnalyserSettings()
    optimiser: OptimiserSettings = OptimiserSettings()
    digest: DigestSettings = DigestSettings()
    retention: RetentionSettings = RetentionSettings()
