"""Settings are read from the environment, and errors in it are reported in one line."""

import pytest

from hub import errors, settings
from hub.errors import CODES, Misconfigured
from hub.settings import Settings


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(settings.ENV_PREFIX + name.upper(), raising=False)


def test_every_setting_says_what_it_is_for() -> None:
    assert [name for name, field in Settings.model_fields.items() if not (field.description or "").endswith(".")] == []


def test_every_limit_of_a_document_has_a_code_of_its_name() -> None:
    limits = {name.upper() for name in Settings.model_fields if name.endswith("_limit")}
    others = {"BODY_LIMIT", "HEADER_LIMIT", "ERROR_LIMIT", "FRAME_LIMIT", "KEY_LIVE_LIMIT"}
    others |= {"IMPORT_LIMIT", "UPLOAD_LIMIT"}  # of files: FILE_LIMIT
    assert limits - set(CODES) == others


def test_the_environment_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUB_PORT", "9000")
    monkeypatch.setenv("HUB_ALLOWED_ORIGINS", "https://a.example, http://localhost:3000,")
    monkeypatch.setenv("HUB_DATABASE_URL", "postgresql://u:secret@h/d")
    read = settings.load()
    assert read.port == 9000
    assert read.allowed_origins == ("https://a.example", "http://localhost:3000")
    assert "secret" not in repr(read)


def test_an_empty_variable_is_as_good_as_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUB_PORT", "")
    assert settings.load().port == 8000


def test_what_the_command_line_says_goes_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUB_PORT", "9000")
    assert (settings.load(port=9001).port, settings.load(port=None).port) == (9001, 9000)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HUB_PORT", "many"),
        ("HUB_PORT", "70000"),
        ("HUB_PORT", "tcp://10.0.0.1:8000"),
        ("HUB_WORKERS", "0"),
        ("HUB_METRICS", "perhaps"),
        ("HUB_REQUEST_TIMEOUT", "-1"),
        ("HUB_ALLOWED_ORIGINS", "crm.example"),
        ("HUB_ALLOWED_ORIGINS", "https://crm.example/"),
        ("HUB_DATABASE_URL", "mysql://u:secret@h/d"),
        ("HUB_TRUSTED_PROXIES", "10.0.0.1/8"),
        ("HUB_TRUSTED_PROXIES", "proxy.internal"),
        ("HUB_KEY_CACHE_TTL", "5"),
    ],
)
def test_an_invalid_value_is_reported_with_its_name_and_description(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(Misconfigured) as caught:
        settings.load()
    assert (caught.value.code, caught.value.argument) == ("SETTING_INVALID", name)
    assert caught.value.message.startswith(f"{name}: ")
    assert str(Settings.model_fields[name.removeprefix("HUB_").lower()].description) in caught.value.message
    assert "u:secret" not in caught.value.message
    assert "\n" not in caught.value.message


def test_a_misspelt_variable_is_detected() -> None:
    environment = {"HUB_PROT": "1", "HUB_PORT": "1", "PATH": "", "hub_host": ""}
    assert settings.unknown_variables(environment) == ["HUB_PROT"]


def test_every_error_has_a_known_code() -> None:
    tree: list[type[errors.HubError]] = [
        errors.HubError,
        *errors.HubError.__subclasses__(),
        *errors.BadInput.__subclasses__(),
    ]
    assert [error_type.__name__ for error_type in tree if error_type.code not in CODES] == []


def test_the_error_tree_in_the_docstring_is_complete() -> None:
    drawn = str(errors.__doc__)
    assert [
        error_type.__name__
        for error_type in errors.HubError.__subclasses__()
        if f"── {error_type.__name__} " not in drawn
    ] == []
