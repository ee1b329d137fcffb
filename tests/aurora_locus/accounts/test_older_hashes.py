"""Password hashes of accounts that came from the reference server, or that were made with other parameters."""

import pytest
from argon2 import PasswordHasher

from aurora_locus.accounts.passwords import Passwords
from tests.aurora_locus.deployment import Deployment, Person, statuses, together

# The hash of "password of ana", made by Node's crypto module as the reference server calls it.
OF_REFERENCE = (
    "00112233445566778899aabbccddeeff:"
    "78d771f0d3cb0f1d3a919de175798ff56e3b55a035229135ffe9816836745fc1"
    "3b528657addac13c5db513b9c1bfbdc4e064ddababd443c92102ad01ee61047c"
)


@pytest.fixture(autouse=True)
def cost_of_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    """Use the server's real parameters, because they are the subject here."""
    monkeypatch.setattr("aurora_locus.accounts.setup.Passwords", Passwords)


async def stored(deployment: Deployment) -> str:
    async with deployment.db.reader() as reader:
        row = await reader.fetch_one("select password_hash from accounts")
    assert row is not None
    return str(row["password_hash"])


async def with_hash(deployment: Deployment, password_hash: str) -> Person:
    ana = await deployment.sign_up("ana")
    await deployment.db.write(lambda w: w.execute("update accounts set password_hash = :hash", hash=password_hash))
    return ana


@pytest.mark.parametrize(
    "older", [OF_REFERENCE, PasswordHasher(1, 64, 1).hash("password of ana")], ids=["scrypt", "argon2id"]
)
async def test_older_hash_is_accepted_and_replaced_at_sign_in(deployment: Deployment, older: str) -> None:
    await with_hash(deployment, older)
    answers = await together(*(deployment.sign_in("ana.test", "password of ana") for _ in range(3)))
    assert statuses(answers) == [200, 200, 200]
    renewed = await stored(deployment)
    assert renewed.startswith("$argon2id$v=19$m=7168,t=5,p=1$")
    assert (await deployment.sign_in("ana.test", "password of ana")).status_code == 200
    assert await stored(deployment) == renewed


async def test_wrong_password_changes_nothing(deployment: Deployment) -> None:
    await with_hash(deployment, OF_REFERENCE)
    assert (await deployment.sign_in("ana.test", "password of ben")).json()["error"] == "AuthenticationRequired"
    assert await stored(deployment) == OF_REFERENCE
