"""Packs in the database: installed once, kept as finance left them, and giving the figures of their documents."""

import io
import json
from datetime import date
from decimal import Decimal

import polars as pl
import pytest
from django.core.management import call_command
from django.db import connection

from batconnect.common.audit import system_user
from batconnect.common.models import AuditEntry
from ledger.engine.engine import CompiledTemplates, compile_templates
from ledger.engine.packs import UnknownPack
from ledger.models import Account, JournalTemplate, ProductAccountMap
from ledger.services.accounting_policy import checked_policy, overrides
from ledger.services.packs import AccountDiffers, PackInstalled, TemplateDiffers, install_pack
from ledger.services.template_checks import columns_of, preview, standing

pytestmark = pytest.mark.django_db

PARTS = ("gross", "tabarru", "tanahud", "invest", "ujroh", "admin")


def install(name: str = "takaful") -> PackInstalled:
    return install_pack(name=name, actor=system_user())


def command(*arguments: str) -> str:
    out = io.StringIO()
    call_command("install_pack", *arguments, stdout=out)
    return out.getvalue()


def test_the_taxi_pack_is_installed_by_migration() -> None:
    assert not install("taxi").changed
    assert command("taxi") == "Pack taxi is installed already; nothing was changed.\n"


def test_takaful_is_installed_once() -> None:
    bank = Account.objects.get(code="1010")
    first = json.loads(command("takaful", "--json"))
    assert first["changed"] is True
    assert len(first["accounts"]) == 17 and "1010" not in first["accounts"]
    assert first["templates"] == [
        f"{kind}_{product}/1" for product in ("LIFE01", "FAM01", "INV01") for kind in ("PREMIUM", "CLAIM")
    ]
    assert first["drafts"] == []
    bank.refresh_from_db()
    assert bank.fund == "OP"
    assert Account.objects.get(code="1610").fund == "TBR"

    state = sorted(map(str, JournalTemplate.objects.values_list("pk", "status", "effective_to")))
    second = json.loads(command("takaful", "--json"))
    assert second == {
        "pack": "takaful", "changed": False, "accounts": [], "templates": [], "drafts": [], "overrides": [],
    }  # fmt: skip
    assert sorted(map(str, JournalTemplate.objects.values_list("pk", "status", "effective_to"))) == state
    assert AuditEntry.objects.filter(action="pack.installed").count() == 1
    premium = JournalTemplate.objects.get(code="PREMIUM_FAM01")
    assert (premium.status, premium.approved_by) == ("ACTIVE", system_user())


def test_the_fleets_policy_is_left_alone() -> None:
    before = checked_policy()
    install()
    after = checked_policy()
    assert [each.name for each in after.compiled.templates] == [
        each.name for each in before.compiled.templates
    ]


def test_an_account_of_another_type_is_refused_by_name_and_nothing_is_installed() -> None:
    Account.objects.create(code="2710", name="Something else", type="ASSET", fund="TBR")
    with pytest.raises(
        AccountDiffers, match="account 2710 as LIABILITY in USD; the chart has it as ASSET in USD"
    ):
        install()
    assert not Account.objects.filter(code="1610").exists()
    assert not JournalTemplate.objects.filter(pack="takaful").exists()


def test_a_template_of_that_code_that_is_somebody_elses_is_refused() -> None:
    JournalTemplate.objects.create(
        code="CLAIM_INV01", version=1, pack="taxi", effective_from=date(2019, 3, 3), created_by=system_user()
    )
    with pytest.raises(
        TemplateDiffers, match=r"Template CLAIM_INV01/1 is not that of pack takaful.* belongs to taxi"
    ):
        install()


def test_an_unknown_pack_is_refused_with_those_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UnknownPack):
        install("nonsense")
    with pytest.raises(SystemExit):
        command("nonsense")
    assert "no pack nonsense; there are takaful, taxi" in capsys.readouterr().err


def test_what_finance_removed_stays_removed() -> None:
    ProductAccountMap.objects.all().delete()
    assert not install("taxi").changed
    assert not ProductAccountMap.objects.exists()


def test_a_version_that_was_ended_since_is_still_the_packs_own() -> None:
    install()
    JournalTemplate.objects.filter(code="CLAIM_LIFE01").update(effective_to=date(2026, 1, 1))
    assert not install().changed


# --- the figures of takaful.md, through the stored templates --------------------------------------------------------


@pytest.fixture
def takaful() -> CompiledTemplates:
    install()
    return compile_templates(standing("takaful"), overrides(), columns_of("takaful"))


def entry(compiled: CompiledTemplates, kind: str, product: str, *amounts: str) -> list[str]:
    event = {
        "row": 1, "txn_type": kind, "product": product, "channel": "AGENCY", "on": date(2026, 9, 5), "currency": "USD",
        "amount": Decimal(amounts[0]),
        **{f"{part}_amount": Decimal(amount) for part, amount in zip(PARTS, amounts, strict=True)},
    }  # fmt: skip
    columns = columns_of("takaful")
    frame = pl.DataFrame({name: [event[name]] for name in columns}, schema=dict(columns))
    expansion = compiled.expand(frame)
    assert expansion.rejects.is_empty(), expansion.rejects["message"].to_list()
    lines = expansion.lines.sort("line_number").rows(named=True)
    return [f"{line['side']} {line['account']} {line['fund']} {line['amount']:.2f}" for line in lines]


@pytest.mark.parametrize("product", ["LIFE01", "FAM01", "INV01"])
def test_the_worked_premium_and_claim(takaful: CompiledTemplates, product: str) -> None:
    assert entry(takaful, "PREMIUM_RECEIPT", product, "1000", "300", "0", "600", "100", "0") == [
        "DR 1010 OP 1000.00",
        "CR 2610 OP 300.00",
        "CR 2630 OP 600.00",
        "CR 4510 OP 100.00",
        "DR 1610 TBR 300.00",
        "CR 4610 TBR 300.00",
        "DR 1630 INV 600.00",
        "CR 4630 INV 600.00",
    ]
    assert entry(takaful, "CLAIM_PAID", product, "780", "800", "0", "0", "0", "20") == [
        "DR 5610 TBR 800.00",
        "CR 2710 TBR 800.00",
        "DR 1710 OP 800.00",
        "CR 1010 OP 780.00",
        "CR 4520 OP 20.00",
    ]


def test_a_stored_template_previews_by_the_packs_own_columns(takaful: CompiledTemplates) -> None:
    (claim,) = [each for each in takaful.templates if each.code == "CLAIM_FAM01"]
    amounts = {"gross_amount": "780", "tabarru_amount": "800", "invest_amount": "0", "admin_amount": "20"}
    event = {"txn_type": "CLAIM_PAID", "product": "FAM01", "amount": Decimal(780), "on": date(2026, 9, 5)}
    shown = preview(
        claim, pack="takaful", event={**event, **{name: Decimal(value) for name, value in amounts.items()}}
    )
    assert {fund: shown.total("DR", fund) for fund in shown.funds} == {"TBR": 800, "OP": 800}
    assert len(shown.lines) == 5 and shown.refusal == ""
    assert shown.goes_to.endswith("goes to this template.")


def test_the_stored_packs_are_what_the_files_say() -> None:
    """Eighteen accounts, one of them the fleet's; every part of every template, to the last digit."""
    install()
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(DISTINCT t.id), count(l.id) FROM journal_template t JOIN journal_template_line l "
            "ON l.template_id = t.id WHERE t.pack = 'takaful'"
        )
        assert cursor.fetchone() == (6, 3 * 12 + 3 * 8)
    from ledger.engine.packs import read_pack

    for name in ("taxi", "takaful"):
        wanted = {each.name: each for each in read_pack(name).templates}
        for stored in standing(name):
            shipped = wanted.pop(stored.name)
            assert (stored.lines, stored.matches) == (shipped.lines, shipped.matches)
            assert stored.control == shipped.control
        assert wanted == {}
