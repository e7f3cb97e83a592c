"""HUB_TOKEN_ISSUERS: a file that cannot be used stops the hub at its start, in one line with fault and remedy."""

import json
from pathlib import Path
from typing import Any

import pytest
from token_issuer import ec_key, run_issuer

from hub import doctor, settings
from hub.errors import Misconfigured
from hub.settings import Settings
from hub.token_issuers import TokenIssuer
from hub.web.token_keys import IssuerKeySets

VALID: dict[str, Any] = {
    "issuer": "https://login.example",
    "audience": "hub",
    "jwks_url": "https://login.example/jwks",
    "staff": {"claim": "email"},
    "roles": {"default": "reader"},
}
CUSTOMER = {"claim": "sub", "by": "EXTERNAL_ID", "source": "shop"}


def load(path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("HUB_TOKEN_ISSUERS", str(path))
    return settings.load()


def test_toml_and_json_say_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    toml, other = tmp_path / "issuers.toml", tmp_path / "issuers.json"
    toml.write_text(
        """
        [[issuers]]
        issuer = "https://login.example"
        audience = ["hub"]
        jwks_file = "keys.json"
        algorithms = "ES256"
        staff = { claim = ["profile", "number"], by = "number", bound = false }
        roles = { claim = "roles", values = { "agent" = "writer", "boss" = ["admin", "reader"] } }
        """
    )
    other.write_text(
        json.dumps(
            {
                "issuers": [
                    {
                        "issuer": "https://login.example",
                        "audience": "hub",
                        "jwks_file": str(tmp_path / "keys.json"),
                        "algorithms": ["ES256"],
                        "staff": {"claim": ["profile", "number"], "by": "number", "bound": False},
                        "roles": {"claim": "roles", "values": {"agent": ["writer"], "boss": ["admin", "reader"]}},
                    }
                ]
            }
        )
    )
    (issuer,) = load(toml, monkeypatch).token_issuers
    assert load(other, monkeypatch).token_issuers == (issuer,)
    assert (issuer.algorithms, issuer.leeway, issuer.jwks_file) == (("ES256",), 30, tmp_path / "keys.json")


def test_the_defaults_are_asymmetric() -> None:
    assert TokenIssuer.model_validate(VALID).algorithms == ("RS256", "ES256", "EdDSA")
    assert Settings().token_issuers == ()


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"algorithms": ["none"]}, r"issuers\[0\].algorithms.0: Input should be 'RS256'"),
        ({"algorithms": ["RS256", "HS256"]}, r"issuers\[0\].algorithms.1: Input should be"),
        ({"algorithms": []}, "algorithms: .* should have at least 1 item"),
        ({"audience": []}, "audience: .* should have at least 1 item"),
        ({"audience": None}, "audience: Input should be a valid tuple"),
        ({"issuer": ""}, "issuer: String should have at least 1 character"),
        ({"jwks_url": None}, "`jwks_url` or by `jwks_file`, one of them"),
        ({"jwks_file": "keys.json"}, "`jwks_url` or by `jwks_file`, one of them"),
        (
            {"jwks_url": "http://login.example/jwks"},
            "is not encrypted, so anybody on the way could add a key; use https",
        ),
        ({"jwks_url": "ftp://login.example/jwks"}, "cannot be read; give https://host/path"),
        ({"jwks_url": "https://user:secret@login.example/"}, "it has a user or password"),
        ({"jwks_url": "https://login.example/a\r\nx: y"}, "characters that no address has"),
        ({"jwks_url": "https://login.example:x/"}, "is no URL; give https://host/path"),
        ({"customer": CUSTOMER}, "describe the issuer once for each audience"),
        ({"staff": None, "customer": CUSTOMER}, "a customer has one role; give it as `customer.role`"),
        ({"staff": None, "roles": {}, "customer": {"claim": "sub", "by": "EXTERNAL_ID"}}, "add its `source`"),
        ({"unit": {"claim": "unit"}}, "`unit` binds systems alone"),
        ({"staff": None, "roles": {}}, "the tokens would mean nobody"),
        ({"roles": {"claim": "roles"}}, "`claim` and `values` belong together"),
        ({"staff": {"claim": "email", "by": "name"}}, "staff.by: Input should be 'email', 'id' or 'number'"),
        ({"staff": {"claim": []}}, "staff.claim: .* should have at least 1 item"),
        ({"leeway": 3600}, "leeway: Input should be less than or equal to 120"),
        ({"leewey": 3}, "leewey: Extra inputs are not permitted"),
    ],
)
def test_an_entry_that_cannot_be_used_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], reason: str
) -> None:
    path = tmp_path / "issuers.json"
    entry = {name: value for name, value in (VALID | changes).items() if value is not None or name == "audience"}
    path.write_text(json.dumps({"issuers": [entry]}))
    with pytest.raises(Misconfigured, match=reason) as refusal:
        load(path, monkeypatch)
    assert refusal.value.message.startswith("HUB_TOKEN_ISSUERS: ")
    assert "\n" not in refusal.value.message


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("issuers.toml", "[[issuers]", "the file is not TOML"),
        ("issuers.json", "{", "the file is not JSON"),
        ("issuers.json", "[1]", r"begin one with \[\[issuers\]\]"),
        ("issuers.toml", "x = 1", r"begin one with \[\[issuers\]\]"),
        ("issuers.json", json.dumps({"issuers": [VALID, VALID]}), "has the audience 'hub' twice"),
        ("absent", None, "cannot be read .No such file or directory.; correct its path"),
    ],
)
def test_a_file_that_cannot_be_used_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, content: str | None, reason: str
) -> None:
    if content is not None:
        (tmp_path / name).write_text(content)
    with pytest.raises(Misconfigured, match=reason):
        load(tmp_path / name, monkeypatch)


async def test_keys_in_a_file_are_needed_at_the_start_and_read_again(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    entry = {name: value for name, value in VALID.items() if name != "jwks_url"} | {"jwks_file": path}
    issuer = TokenIssuer.model_validate(entry)

    async def read(_: str) -> bytes:
        raise AssertionError("a file is not fetched")

    for content, reason in ((None, "No such file"), ("{}", "has no `keys`")):
        if content is not None:
            path.write_text(content)
        with pytest.raises(Misconfigured, match=reason):
            async with IssuerKeySets([issuer], read).running():
                pass
    first, second = ec_key("first"), ec_key("second")
    path.write_text(json.dumps({"keys": [first.as_dict(private=False)]}))
    key_sets = IssuerKeySets([issuer], read)
    async with key_sets.running():
        await key_sets.keys_of(issuer).find("first")
        path.write_text(json.dumps({"keys": [second.as_dict(private=False)]}))
        assert (await key_sets.keys_of(issuer).find("second"))[1].thumbprint() == second.thumbprint()


async def test_the_doctor_names_an_issuer_whose_keys_cannot_be_read() -> None:
    async with run_issuer() as issuer:
        configuration = Settings(token_issuers=(TokenIssuer.model_validate(VALID | {"jwks_url": issuer.jwks_url}),))
        (sound,) = await doctor.check_issuers(configuration)
        issuer.status = 500
        (failing,) = await doctor.check_issuers(configuration)
    assert (sound.name, sound.ok, failing.ok) == ("tokens of https://login.example for hub", True, False)
    assert failing.problem.startswith("its keys cannot be read: the answer has the status 500")
