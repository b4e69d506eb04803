import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from securitycamd.config import LIVE_KEYS, SettingsError, SettingsHolder, changed_keys, live_settings, load_settings
from securitycamd.db.engine import DatabaseAddress
from securitycamd.resources import resource
from securitycamd.settings import Section, Settings

DOCUMENT = resource("config") / "securitycamd.toml"


def all_keys() -> list[str]:
    """Every setting's dotted name."""
    found = []
    for name, field in Settings.model_fields.items():
        if isinstance(field.default, Section):
            found += [f"{name}.{key}" for key in type(field.default).model_fields]
        else:
            found.append(name)
    return found


@pytest.fixture(autouse=True)
def no_settings_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.upper().startswith("SECURITYCAMD_")]:
        monkeypatch.delenv(name)


Load = Callable[[str], Settings]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Settings from the text of a file."""

    def load(text: str) -> Settings:
        path = tmp_path / "settings.toml"
        path.write_text(text, encoding="utf-8")
        return load_settings(path)

    return load


def problems(call: Callable[[], object]) -> list[str]:
    with pytest.raises(SettingsError) as told:
        call()
    assert str(told.value).splitlines() == told.value.problems  # one line each
    return told.value.problems


# --- the document -------------------------------------------------------------------------------------------


def documented() -> Iterator[tuple[str, str]]:
    """Each key of the settings file with the comment above it, or above the keys right before it."""
    section, comment, fresh = "", "", True
    for line in DOCUMENT.read_text(encoding="utf-8").splitlines():
        if match := re.fullmatch(r"\[(\w+)\]", line):
            section, comment = f"{match[1]}.", ""
        elif line.startswith("#"):
            comment = f"{comment if not fresh else ''}{line[1:]}"
            fresh = False
        elif match := re.match(r"(\w+) = ", line):
            yield f"{section}{match[1]}", comment
            fresh = True
        elif not line.strip():
            comment, fresh = "", True


def test_every_setting_is_in_the_document_once_and_nothing_else() -> None:
    assert sorted(key for key, _ in documented()) == sorted(all_keys())


def test_the_document_holds_the_default_values() -> None:
    assert load_settings(DOCUMENT) == load_settings(None) == Settings()


@pytest.mark.parametrize(("key", "comment"), list(documented()), ids=[key for key, _ in documented()])
def test_a_setting_is_explained_and_marked_live_when_it_is(key: str, comment: str) -> None:
    assert len(comment) > 15, key
    assert ("(live)" in comment) == (key in LIVE_KEYS), key
    if key.endswith("_seconds"):
        assert "seconds" in comment, key


def test_what_is_live_exists() -> None:
    assert set(all_keys()) >= LIVE_KEYS


# --- reading ------------------------------------------------------------------------------------------------


def test_a_file_changes_what_it_names(load: Load) -> None:
    read = load('[server]\nport = 9000\n[converter]\nframe_rates = { camera_3 = 30 }\n[site]\ntime_zone = "Asia/Tokyo"')
    assert (read.server.port, read.site.zone.key) == (9000, "Asia/Tokyo")
    assert (read.converter.frame_rate_of("camera_3"), read.converter.frame_rate_of("camera_1")) == (
        30.0,
        15.0,
    )
    assert changed_keys(Settings(), read) == ["converter.frame_rates", "server.port", "site.time_zone"]


def test_the_environment_wins_over_the_file(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECURITYCAMD_SERVER__PORT", "9001")
    monkeypatch.setenv("SECURITYCAMD_STATE_DIRECTORY", "/srv/state")
    monkeypatch.setenv("securitycamd_site__name", "Barn")
    read = load('state_directory = "elsewhere"\n[server]\nport = 9000\nhost = "::"\n[site]\nname = "House"')
    assert (read.server.port, read.server.host, read.site.name) == (9001, "::", "Barn")
    assert read.state_directory == Path("/srv/state")


def test_lists_and_tables_of_the_environment_are_json(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECURITYCAMD_SERVER__CORS_ORIGINS", '["https://one.example/", "http://two:8080"]')
    monkeypatch.setenv("SECURITYCAMD_CONVERTER__FRAME_RATES", '{"camera_1": 25}')
    monkeypatch.setenv("SECURITYCAMD_AGENTS__TRUSTED_NETWORKS", '["10.1.0.0/16", "fd00::/8", "192.168.1.7"]')
    read = load_settings(None)
    assert read.server.cors_origins == ("https://one.example", "http://two:8080")
    assert read.converter.frame_rates == {"camera_1": 25.0}
    assert [str(network) for network in read.agents.trusted_networks] == [
        "10.1.0.0/16",
        "fd00::/8",
        "192.168.1.7/32",
    ]


def test_a_whole_section_may_be_json(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECURITYCAMD_SERVER", '{"port": 9002}')
    monkeypatch.setenv("SECURITYCAMD_SERVER__HOST", "::1")
    assert (load_settings(None).server.port, load_settings(None).server.host) == (9002, "::1")


def test_the_command_line_wins_over_the_file_but_not_over_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "settings.toml"
    path.write_text('[server]\nport = 9000\nhost = "::"', encoding="utf-8")
    monkeypatch.setenv("SECURITYCAMD_SITE__NAME", "Barn")
    read = load_settings(path, overrides={"server": {"port": 9003}, "site": {"name": "House"}})
    assert (read.server.port, read.server.host, read.site.name) == (9003, "::", "Barn")


@pytest.mark.parametrize("name", ["SECURITYCAMD_CONFIG", "SECURITYCAMD_CACHE"])
def test_two_variables_are_no_settings(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "/somewhere")
    assert load_settings(None) == Settings()


def test_settings_cannot_be_changed_by_mistake() -> None:
    read = load_settings(None)
    with pytest.raises(ValueError, match="frozen"):
        read.server.port = 1  # type: ignore[misc]  # what the test is about
    with pytest.raises(ValueError, match="frozen"):
        read.server = read.server  # type: ignore[misc]  # the same


def test_the_machines_own_zone_is_the_default() -> None:
    assert Settings().site.zone.key


# --- what is wrong ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[server]\nport = 99999", "server.port = 99999: should be less than or equal to 65535"),
        (
            '[server]\nport = "x"',
            "server.port = 'x': should be a valid integer, unable to parse string as an integer",
        ),
        ("[server]\nprt = 1", "server.prt = 1: no such setting"),
        ("[sever]\nport = 1", "sever = {'port': 1}: no such setting"),
        ("server = 1", "server = 1: must be a table of keys"),
        (
            '[site]\ntime_zone = "Mars/Olympus"',
            "site.time_zone = 'Mars/Olympus': is not a time zone such as Europe/Berlin",
        ),
        (
            '[site]\ntime_zone = "Europe"',
            "site.time_zone = 'Europe': is not a time zone such as Europe/Berlin",
        ),
        (
            '[site]\ntime_zone = "../etc"',
            "site.time_zone = '../etc': is not a time zone such as Europe/Berlin",
        ),
        ('[site]\nname = ""', "site.name = '': string should have at least 1 character"),
        (
            '[logging]\nlevel = "LOUD"',
            "logging.level = 'LOUD': should be 'DEBUG', 'INFO', 'WARNING' or 'ERROR'",
        ),
        (
            '[agents]\ntrusted_networks = ["10.0.0.1/8"]',
            "agents.trusted_networks.0 = '10.0.0.1/8': 10.0.0.1/8 has host bits set",
        ),
        (
            '[agents]\ntrusted_networks = ["::1", "lan"]',
            "agents.trusted_networks.1 = 'lan': 'lan' does not appear to be an IPv4 or IPv6 network",
        ),
        (
            "[agents]\ntrusted_networks = [10]",
            "agents.trusted_networks.0 = 10: must be a network such as 192.168.0.0/16",
        ),
        (
            '[server]\ncors_origins = ["*"]',
            "server.cors_origins.0 = '*': must be an http:// or https:// address",
        ),
        ("[converter]\nframe_rate = 0", "converter.frame_rate = 0: should be greater than 0"),
        (
            "[converter]\nframe_rates = { camera_1 = -1 }",
            "converter.frame_rates.camera_1 = -1: should be greater than 0",
        ),
        ("[analyser]\nlease_seconds = 1", "analyser.lease_seconds = 1: should be greater than or equal to 2"),
        (
            '[analyser]\nurl = "ollama:11434"',
            "analyser.url = (hidden): must be an http:// or https:// address",
        ),
    ],
)
def test_a_wrong_value_is_told_with_its_key_and_the_reason(load: Load, text: str, problem: str) -> None:
    assert problems(lambda: load(text)) == [problem]


def test_everything_that_is_wrong_is_told_at_once(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECURITYCAMD_SEVER__PORT", "1")
    monkeypatch.setenv("SECURITYCAMD_SERVER__HST", "x")
    monkeypatch.setenv("SECURITYCAMD_DATABASE__POOL_SIZE", "1")
    found = problems(lambda: load("[server]\nport = -1\nmax_body_bytes = 1\n[storage]\nfile_threads = 0"))
    assert sorted(line.split(" = ")[0] for line in found) == [
        "SECURITYCAMD_SEVER__PORT",
        "database.pool_size",
        "server.hst",
        "server.max_body_bytes",
        "server.port",
        "storage.file_threads",
    ]


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("SECURITYCAMD_PORT", "1", "SECURITYCAMD_PORT = '1': no such setting"),
        ("SECURITYCAMD_SERVER_PORT", "1", "SECURITYCAMD_SERVER_PORT = '1': no such setting"),
        ("securitycamd_sever__port", "1", "securitycamd_sever__port = '1': no such setting"),
        ("SECURITYCAMD_SERVER__PRT", "1", "server.prt = '1': no such setting"),
        ("SECURITYCAMD_SERVER", "{", "SECURITYCAMD_SERVER = '{': must be JSON"),
        ("SECURITYCAMD_SERVER", "8000", "server = 8000: must be a table of keys"),
        (
            "SECURITYCAMD_SERVER__CORS_ORIGINS",
            "https://one.example",
            "SECURITYCAMD_SERVER__CORS_ORIGINS = 'https://one.example': must be JSON",
        ),
        (
            "SECURITYCAMD_CONVERTER__FRAME_RATES",
            "camera_1=30",
            "SECURITYCAMD_CONVERTER__FRAME_RATES = 'camera_1=30': must be JSON",
        ),
    ],
)
def test_a_wrong_variable_is_told(monkeypatch: pytest.MonkeyPatch, name: str, value: str, problem: str) -> None:
    monkeypatch.setenv(name, value)
    assert problems(lambda: load_settings(None)) == [problem]


def test_a_file_that_is_not_there_or_no_toml_is_told(tmp_path: Path) -> None:
    missing = tmp_path / "missing.toml"
    assert problems(lambda: load_settings(missing)) == [f"{missing}: cannot be read: No such file or directory"]
    assert problems(lambda: load_settings(tmp_path)) == [f"{tmp_path}: cannot be read: Is a directory"]
    broken = tmp_path / "broken.toml"
    broken.write_text("[server\n", encoding="utf-8")
    [problem] = problems(lambda: load_settings(broken))
    assert problem.startswith(f"{broken}: is not valid TOML: ")
    assert "line 1" in problem
    broken.write_bytes(b"name = '\xff'")
    [problem] = problems(lambda: load_settings(broken))
    assert problem.startswith(f"{broken}: is not valid TOML: ")


@pytest.mark.parametrize(
    "url",
    ["", "mysql://db/x", "mysql://me:p%40ss@[::1]:3307/x", "mysql://me@localhost/x?unix_socket=/run/mysqld.sock"],
)
def test_an_address_of_a_database(load: Load, url: str) -> None:
    assert load(f'[database]\nurl = "{url}"').database.url == url
    assert not url or DatabaseAddress.from_url(url).name == "x"


@pytest.mark.parametrize(
    "url",
    [
        "postgres://me:secret@db/x",
        "mysql://me:secret@db",
        "mysql://me:secret@db:port/x",
        "mysql://me:secret@db:0/x",
        "mysql://[me:secret/x",
        "mysql://me:secret@db/x?charset=latin1",
    ],
)
def test_an_address_of_no_database_is_refused_and_not_shown(load: Load, url: str) -> None:
    [problem] = problems(lambda: load(f'[database]\nurl = "{url}"'))
    assert problem == "database.url = (hidden): must look like mysql://user:password@host:3306/database"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SECURITYCAMD_DATABASE_URL", "mysql://me:secret@db/x"),
        ("SECURITYCAMD_DATABASE__URLL", "mysql://me:secret@db/x"),
        ("SECURITYCAMD_DATABASE__PASSWORD", "secret"),
        ("SECURITYCAMD_DATABASE", "mysql://me:secret@db/x"),
        ("SECURITYCAMD_DATABASE", '"mysql://me:secret@db/x"'),
        ("SECURITYCAMD_DATABASE", '{"url": ["mysql://me:secret@db/x"]}'),
        ("SECURITYCAMD_DATABASE__POOL_SIZE", "mysql://me:secret@db/x"),
        ("SECURITYCAMD_ANALYSER__URL", "http://me:secret@"),
        ("SECURITYCAMD_SERVER__CORS_ORIGINS", '["ftp://me:secret@x"]'),
    ],
)
def test_a_password_is_never_shown(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    """Not even when it stands where it does not belong."""
    monkeypatch.setenv(name, value)
    found = problems(lambda: load_settings(None))
    assert found
    assert not [line for line in found if "secret" in line]


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    key=st.sampled_from(all_keys()),
    value=st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12)
    | st.sampled_from(["-1", "1e999", "nan", "[]", "{}", "null", "true", "0"]),
)
def test_any_value_is_taken_or_told_in_one_line(key: str, value: str) -> None:
    name = f"SECURITYCAMD_{key.replace('.', '__').upper()}"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(name, value)
        try:
            load_settings(None)
        except SettingsError as error:
            [problem] = error.problems
        else:
            return
    assert "\n" not in problem
    assert problem.startswith((f"{key}", f"{name} = "))


# --- changes ------------------------------------------------------------------------------------------------


CHANGES: dict[str, Any] = {
    "agents.offline_after_seconds": 7.0,
    "analyser.concurrency": 2,
    "converter.frame_rates": {"camera_1": 5.0},
    "converter.processes": 9,
    "logging.level": "ERROR",
    "site.name": "Barn",
    "site.time_zone": "Asia/Tokyo",
    "server.port": 1234,
    "database.pool_size": 33,
}


def changed(keys: list[str]) -> Settings:
    values: dict[str, Any] = {}
    for key in keys:
        section, name = key.split(".")
        values.setdefault(section, {})[name] = CHANGES[key]
    return Settings(**values)


@pytest.mark.parametrize("key", CHANGES)
def test_a_change_is_named_and_applied_live_only_when_it_can_be(key: str) -> None:
    old, new = Settings(), changed([key])
    assert changed_keys(old, new) == changed_keys(new, old) == [key]
    live = live_settings(old, new)
    assert changed_keys(old, live) == ([key] if key in LIVE_KEYS else [])
    assert changed_keys(new, live) == ([] if key in LIVE_KEYS else [key])


def test_several_changes() -> None:
    old, new = Settings(), changed(list(CHANGES))
    assert changed_keys(old, new) == sorted(CHANGES)
    live = live_settings(old, new)
    assert changed_keys(live, new) == sorted(set(CHANGES) - LIVE_KEYS)
    assert live.site.zone == old.site.zone
    assert changed_keys(old, old) == []
    assert live_settings(old, old) == old


def test_a_state_directory_is_not_live() -> None:
    old, new = Settings(), Settings(state_directory=Path("/elsewhere"))
    assert changed_keys(old, new) == ["state_directory"]
    assert live_settings(old, new).state_directory == old.state_directory


def test_the_holder_shows_what_is_in_force() -> None:
    holder = SettingsHolder(Settings())
    holder.current = changed(["site.name"])
    assert holder.current.site.name == "Barn"
