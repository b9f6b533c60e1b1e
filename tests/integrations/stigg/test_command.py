"""`manage.py import_stigg`, as somebody types it."""

from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from customers.models import Customer
from integrations.models import StiggAccount
from tests.integrations.stigg.cloud import API_KEY, Cloud

pytestmark = pytest.mark.django_db


@pytest.fixture
def key_file(tmp_path: Path) -> str:
    path = tmp_path / "key"
    path.write_text(f"{API_KEY}\n")
    return str(path)


@pytest.fixture(autouse=True)
def _rings_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("integrations.management.commands.import_stigg.ring_sweep", lambda: None)


def test_it_connects_imports_and_counts(cloud: Cloud, key_file: str, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("import_stigg", url=cloud.url, api_key_file=key_file)
    assert capsys.readouterr().out.splitlines()[-4:] == [
        "1 customers created",
        "1 features created",
        "1 plans created",
        "1 products created",
    ]
    assert (Customer.objects.count(), StiggAccount.objects.get().api_key) == (1, API_KEY)


def test_what_was_skipped_is_named_and_the_exit_is_not_zero(
    cloud: Cloud, key_file: str, capsys: pytest.CaptureFixture[str]
) -> None:
    cloud.rows["customers"][0]["email"] = "nobody"
    with pytest.raises(CommandError, match="1 rows were skipped"):
        call_command("import_stigg", url=cloud.url, api_key_file=key_file)
    assert "skipped: customer:acme email: Enter a valid email address." in capsys.readouterr().out


def test_a_wrong_key_or_a_foreign_address_connects_nothing(cloud: Cloud, key_file: str) -> None:
    Path(key_file).write_text("server-wrong")
    with pytest.raises(CommandError, match="Stigg does not accept the API key"):
        call_command("import_stigg", url=cloud.url, api_key_file=key_file)
    with pytest.raises(CommandError, match="is not Stigg's API"):
        call_command("import_stigg", url="https://stigg.example", api_key_file=key_file)
    with pytest.raises(CommandError, match="cannot be read"):
        call_command("import_stigg", url=cloud.url, api_key_file="nowhere")
    assert StiggAccount.objects.count() == 0


@pytest.mark.usefixtures("account")
def test_a_broken_import_goes_on_with_the_same_command(cloud: Cloud, capsys: pytest.CaptureFixture[str]) -> None:
    for number in range(150):
        cloud.add("customers", f"c{number:03}")
    fetched = cloud.answer

    def break_at_the_second_page(path: str, query: dict[str, list[str]]) -> tuple[int, dict[str, object]]:
        return (403, {"message": "no"}) if "after" in query else fetched(path, query)

    cloud.answer = break_at_the_second_page  # type: ignore[method-assign]
    with pytest.raises(CommandError, match="Run the same command again"):
        call_command("import_stigg")
    assert Customer.objects.count() == 100
    cloud.answer = fetched  # type: ignore[method-assign]
    call_command("import_stigg")
    assert (Customer.objects.count(), "Going on where it was, after 103 rows." in capsys.readouterr().out) == (
        151,
        True,
    )


def test_without_an_account_it_says_what_to_do(db: None) -> None:
    with pytest.raises(CommandError, match="give --url and --api-key-file"):
        call_command("import_stigg")
