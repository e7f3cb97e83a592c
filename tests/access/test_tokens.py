"""Tokens of an issuer (JWT): which are accepted, and the code of each refusal."""

import asyncio
import base64
import hmac
import json
import time
from collections.abc import AsyncIterator, Callable
from hashlib import sha256
from typing import Any

import pytest
from conftest import CreateDatabase
from fake_engine_hub import until
from joserfc import jwe
from joserfc.jwk import Key, OctKey, RSAKey
from token_hub import TokenHub, issuers_of, run_token_hub
from token_issuer import ISSUER, FakeIssuer, claims, ec_key, rsa_key, run_issuer, sign

from hub.errors import Unauthenticated, Unavailable
from hub.token_issuers import TokenIssuer
from hub.web.token_keys import IssuerKeys, parse_keys
from hub.web.tokens import TokenVerifier
from hub.webhooks.issuer_documents import IssuerDocumentError, IssuerDocuments

ACCEPTED = "{ __typename }"


@pytest.fixture(scope="module")
async def hub(create_database: CreateDatabase, demo_dsn: str) -> AsyncIterator[TokenHub]:
    async with run_token_hub(await create_database("northwind")) as hub:
        yield hub


def encode(part: object) -> str:
    """One part of a token."""
    content = part if isinstance(part, bytes) else json.dumps(part).encode()
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def unsigned(issuer: FakeIssuer) -> str:
    return f"{encode({'alg': 'none', 'typ': 'JWT'})}.{encode(claims())}."


def signed_with_the_public_key(issuer: FakeIssuer) -> str:
    assert isinstance(issuer.signer, RSAKey)
    content = f"{encode({'alg': 'HS256', 'kid': 'first'})}.{encode(claims())}"
    signature = hmac.new(issuer.signer.as_pem(private=False), content.encode(), sha256).digest()
    return f"{content}.{encode(signature)}"


def with_another_payload(issuer: FakeIssuer) -> str:
    header, _, signature = issuer.token().split(".")
    return f"{header}.{encode(claims(realm_access={'roles': ['crm-boss']}))}.{signature}"


def encrypted(issuer: FakeIssuer) -> str:
    key = OctKey.generate_key(128)
    return jwe.encrypt_compact({"alg": "dir", "enc": "A128GCM"}, json.dumps(claims()), key)


def of_another_key(issuer: FakeIssuer) -> str:
    return sign(rsa_key("first"), "RS256", claims())


def with_header(**header: Any) -> Callable[[FakeIssuer], str]:
    return lambda issuer: sign(issuer.signer, "RS256", claims(), **header)


def with_claims(**changes: Any) -> Callable[[FakeIssuer], str]:
    return lambda issuer: issuer.token(**changes)


REFUSALS: dict[str, tuple[Callable[[FakeIssuer], str], str]] = {
    "alg none": (unsigned, "TOKEN_ALGORITHM_FORBIDDEN"),
    "HS256 with the public key": (signed_with_the_public_key, "TOKEN_ALGORITHM_FORBIDDEN"),
    "an algorithm that is not allowed": (lambda i: i.token(algorithm="RS384"), "TOKEN_ALGORITHM_FORBIDDEN"),
    "an algorithm of another key": (
        lambda i: sign(i.signer, "RS256", claims(), kid="curve"),
        "TOKEN_ALGORITHM_FORBIDDEN",
    ),
    "a changed payload": (with_another_payload, "TOKEN_SIGNATURE_INVALID"),
    "another key with the same id": (of_another_key, "TOKEN_SIGNATURE_INVALID"),
    "no signature": (lambda i: i.token().rpartition(".")[0] + ".", "TOKEN_SIGNATURE_INVALID"),
    "another issuer": (with_claims(iss="https://evil.example"), "TOKEN_ISSUER_UNKNOWN"),
    "no issuer": (with_claims(iss=None), "TOKEN_ISSUER_UNKNOWN"),
    "a list of issuers": (with_claims(iss=[ISSUER]), "TOKEN_ISSUER_UNKNOWN"),
    "another audience": (with_claims(aud="bank"), "TOKEN_AUDIENCE_WRONG"),
    "no audience": (with_claims(aud=None), "TOKEN_AUDIENCE_WRONG"),
    "audiences of two entries": (with_claims(aud=["hub", "systems"]), "TOKEN_AUDIENCE_WRONG"),
    "expired": (lambda i: i.token(exp=int(time.time()) - 1), "TOKEN_EXPIRED"),
    "expired within the leeway": (lambda i: i.token(exp=int(time.time())), "TOKEN_EXPIRED"),
    "not yet valid": (lambda i: i.token(nbf=int(time.time()) + 60), "TOKEN_NOT_YET_VALID"),
    "issued in the future": (lambda i: i.token(iat=int(time.time()) + 60), "TOKEN_NOT_YET_VALID"),
    "no expiry": (with_claims(exp=None), "TOKEN_EXPIRY_MISSING"),
    "an expiry that is a text": (with_claims(exp="2099-01-01"), "TOKEN_MALFORMED"),
    "an expiry that is true": (with_claims(exp=True), "TOKEN_MALFORMED"),
    "an expiry beyond the calendar": (with_claims(exp=1e300), "TOKEN_MALFORMED"),
    "no subject": (with_claims(sub=None), "TOKEN_MALFORMED"),
    "an endless subject": (with_claims(sub="x" * 256), "TOKEN_MALFORMED"),
    "an unknown key": (with_header(kid="other"), "TOKEN_KEY_UNKNOWN"),
    "no key id among several keys": (with_header(kid=None), "TOKEN_KEY_UNKNOWN"),
    "a key id that is no text": (
        lambda i: f"{encode({'alg': 'RS256', 'kid': 1})}.{encode(claims())}.x",
        "TOKEN_MALFORMED",
    ),
    "a critical header": (with_header(crit=["b64"], b64=True), "TOKEN_HEADER_UNSUPPORTED"),
    "an unencoded payload": (
        lambda _: f"{encode({'alg': 'RS256', 'b64': False})}.{encode(claims())}.x",
        "TOKEN_HEADER_UNSUPPORTED",
    ),
    "encrypted": (encrypted, "TOKEN_ENCRYPTED"),
    "giant": (with_claims(groups=["x" * 100] * 200), "TOKEN_TOO_LARGE"),
    "two parts": (lambda i: i.token().rpartition(".")[0], "TOKEN_MALFORMED"),
    "four parts": (lambda i: i.token() + ".x", "TOKEN_MALFORMED"),
    "no JSON": (lambda i: f"{encode(b'{')}.{encode(claims())}.x", "TOKEN_MALFORMED"),
    "a payload that is a list": (lambda i: sign(i.signer, "RS256", "[1]"), "TOKEN_MALFORMED"),
    "nested too deeply": (lambda i: f"{encode(b'[' * 6_000)}.{encode(b'[' * 2_000)}.x", "TOKEN_MALFORMED"),
    "a number that no one can read": (lambda i: sign(i.signer, "RS256", '{"exp": NaN}'), "TOKEN_MALFORMED"),
    "dots": (lambda i: "..", "TOKEN_MALFORMED"),
}


@pytest.mark.parametrize("name", REFUSALS)
async def test_a_token_that_is_not_valid_is_refused_with_its_code(hub: TokenHub, name: str) -> None:
    build, code = REFUSALS[name]
    answer = await hub.post(build(hub.issuer), ACCEPTED)
    (error,) = answer.json()["errors"]
    assert (answer.status_code, error["extensions"]["code"]) == (401, code), error
    assert answer.headers["www-authenticate"] == 'Bearer realm="hub", error="invalid_token"'


@pytest.mark.parametrize("algorithm", ["RS256", "PS256", "ES256", "EdDSA", "Ed25519"])
async def test_a_valid_token_is_accepted(hub: TokenHub, algorithm: str) -> None:
    key = {"ES256": 1, "EdDSA": 2, "Ed25519": 2}.get(algorithm, 0)
    token = sign(hub.issuer.keys[key], algorithm, claims(aud=["account", "hub"]))
    assert await hub.query(token, ACCEPTED) == {"__typename": "Query"}


async def test_clocks_may_differ_a_little(hub: TokenHub) -> None:
    ahead = int(time.time()) + 20
    assert await hub.query(hub.issuer.token(iat=ahead, nbf=ahead), ACCEPTED) == {"__typename": "Query"}


async def test_keys_and_tokens_are_never_confused(hub: TokenHub) -> None:
    assert await hub.refusal("hub_" + hub.issuer.token()) == (401, "KEY_UNKNOWN")
    assert await hub.refusal("no-key-and-no-token") == (401, "KEY_UNKNOWN")
    assert await hub.query(hub.admin_key, ACCEPTED) == {"__typename": "Query"}
    assert await hub.refusal(f"{hub.admin_key}.x") == (401, "KEY_UNKNOWN")
    two_credentials = {"authorization": f"Bearer {hub.issuer.token()}, Bearer {hub.admin_key}"}
    answer = await hub.client.post("/graphql", json={"query": ACCEPTED}, headers=two_credentials)
    assert answer.status_code == 401


async def test_a_rotated_key_is_read_at_its_first_token_and_the_old_one_is_withdrawn(hub: TokenHub) -> None:
    issuer, new = hub.rotating, rsa_key("second")
    old_token, new_token = issuer.token(), issuer.token(new)
    assert await hub.query(old_token, ACCEPTED) == {"__typename": "Query"}
    issuer.keys[:] = [new]
    reads = issuer.reads
    answers = await asyncio.gather(*(hub.query(new_token, ACCEPTED) for _ in range(5)))
    assert (answers, issuer.reads - reads) == ([{"__typename": "Query"}] * 5, 1)
    assert await hub.refusal(old_token) == (401, "TOKEN_KEY_UNKNOWN")
    for number in range(5):  # invented key ids do not make the hub call its issuer
        assert await hub.refusal(issuer.token(rsa_key(f"third {number}"))) == (401, "TOKEN_KEY_UNKNOWN")
    assert issuer.reads - reads == 1


async def test_while_an_issuer_is_down_its_known_keys_stay_valid(hub: TokenHub) -> None:
    issuer = hub.failing
    await until(lambda: issuer.reads)
    verified = issuer.token()
    assert await hub.query(verified, ACCEPTED) == {"__typename": "Query"}
    issuer.status = 503
    assert await hub.query(verified, ACCEPTED) == {"__typename": "Query"}
    assert await hub.query(issuer.token(sub="another"), ACCEPTED) == {"__typename": "Query"}
    answer = await hub.post(issuer.token(rsa_key("second")), ACCEPTED)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert answer.json()["errors"][0]["extensions"]["code"] == "TOKEN_ISSUER_UNAVAILABLE"
    assert await hub.refusal(issuer.token(exp=int(time.time()) - 1)) == (401, "TOKEN_EXPIRED")


async def test_verified_tokens_are_remembered(hub: TokenHub, monkeypatch: pytest.MonkeyPatch) -> None:
    token = hub.issuer.token()
    await hub.query(token, ACCEPTED)

    async def verify(*_: object) -> None:
        raise AssertionError("a verified token is verified again")

    monkeypatch.setattr(TokenVerifier, "verify", verify)
    assert await hub.query(token, ACCEPTED) == {"__typename": "Query"}


def test_keys_that_cannot_sign_are_left_out() -> None:
    good, secret = ec_key("good"), OctKey.generate_key(256, {"kid": "secret"})
    members: list[object] = [secret.as_dict(private=True), good.as_dict(private=False)]
    members += [{"kty": "RSA", "e": "AQAB", "n": encode(b"\xff" * 128), "kid": "1024 bits"}]
    members += [{"kty": "XYZ", "kid": "new"}, {"kty": "RSA", "kid": "broken"}, "text"]
    members += [{**ec_key("encrypts").as_dict(private=False), "use": "enc"}]
    document = json.dumps({"keys": members}).encode()
    assert [entry.kid for entry in parse_keys(document).values()] == ["good"]


@pytest.mark.parametrize("document", [b"<html>", b"[]", b"{}", b'{"keys": []}', b'{"keys": [1]}', b"x" * 70_000])
def test_a_document_without_keys_is_refused(document: bytes) -> None:
    with pytest.raises(IssuerDocumentError):
        parse_keys(document)


class Reader:
    """What an issuer answers, and how often it was asked."""

    def __init__(self, *keys: Key) -> None:
        self.keys = keys
        self.reads = 0
        self.now = 100.0

    async def read(self, url: str) -> bytes:
        self.reads += 1
        if not self.keys:
            raise IssuerDocumentError("it is down")
        return json.dumps({"keys": [key.as_dict(private=False) for key in self.keys]}).encode()

    def issuer_keys(self) -> IssuerKeys:
        entry = {"issuer": ISSUER, "audience": "hub", "jwks_url": "https://x.example/", "staff": {"claim": "email"}}
        return IssuerKeys(TokenIssuer.model_validate(entry), self.read, lambda: self.now)


async def test_unknown_keys_cause_a_reading_only_now_and_then() -> None:
    reader = Reader(first := ec_key("first"))
    keys = reader.issuer_keys()
    assert (await keys.find("first"))[1].thumbprint() == first.thumbprint()
    reader.keys = (ec_key("second"),)
    for seconds, reads in ((0.0, 1), (29.0, 1), (31.0, 2)):
        reader.now = 100 + seconds
        if reads == 1:
            with pytest.raises(Unauthenticated, match="not among those"):
                await keys.find("second")
        else:
            await keys.find("second")
        assert reader.reads == reads


async def test_an_issuer_that_is_down_is_asked_again_soon_and_keeps_its_keys() -> None:
    reader = Reader(ec_key("first"))
    keys = reader.issuer_keys()
    fingerprint, _ = await keys.find("first")
    reader.keys = ()
    reader.now += 31
    for _ in range(3):
        with pytest.raises(Unavailable):
            await keys.find("second")
    assert (reader.reads, keys.holds(fingerprint)) == (2, True)
    reader.keys, reader.now = (ec_key("second"),), reader.now + 6
    await keys.find("second")
    assert (reader.reads, keys.holds(fingerprint)) == (3, False)


@pytest.mark.parametrize(
    ("status", "headers", "body", "reason"),
    [
        (302, "location: http://127.0.0.1:1/\r\n", b"", "redirects are not followed"),
        (404, "", b"", "status 404"),
        (200, "", b"x" * 80_000, "larger than"),
    ],
)
async def test_an_answer_that_is_no_document_is_refused(
    hub: TokenHub, status: int, headers: str, body: bytes, reason: str
) -> None:
    async with run_issuer() as issuer:
        issuer.status, issuer.headers, issuer.body = status, headers, body
        documents = IssuerDocuments(issuers_of(issuer))
        with pytest.raises(IssuerDocumentError, match=reason):
            await documents.read(issuer.jwks_url)
        documents.close()
