"""The packs that ship: every row of the policy in domain.md, and the worked figures of takaful.md, by hand."""

from collections.abc import Iterator
from datetime import date
from decimal import Decimal

import polars as pl
import pytest

from ledger.engine.engine import CompiledTemplates, compile_templates
from ledger.engine.packs import UnknownPack, pack_names, read_pack
from ledger.engine.templates import check_template
from ledger.models.driver_ledger import Category, Tax

from .makers import event, events, refused, written

TAXI, TAKAFUL = read_pack("taxi"), read_pack("takaful")
TAX_ACCOUNTS = {"MTA": "2210", "IMPROVEMENT": "2220", "CONGESTION": "2230", "CBD": "2240", "AIRPORT": "2250"}
AGENCY_ACCOUNTS = {"EZPASS": "2400", "PVB": "2410", "TLC": "2420"}
OPENED = (
    "EZPASS", "LEASE", "PVB", "TLC", "REPAIR", "LOAN", "MISC", "CANCELLATION_FEE", "INTERIM_PAYMENT", "ADJUSTMENT",
)  # fmt: skip
DESK_ACCOUNTS = {"CASH": "1020", "CHECK": "1020", "ACH": "1010", "CARD": "1110"}
MISC = [
    "Lost Key",
    "Cleaning",
    "Late Return",
    "Damage",
    "Towing",
    "Documentation",
    "Administrative",
    "Car Wash",
    "Other",
    "",
]


@pytest.fixture(scope="module")
def taxi() -> CompiledTemplates:
    return compile_templates(TAXI.templates, TAXI.overrides, TAXI.schema())


@pytest.fixture(scope="module")
def takaful() -> CompiledTemplates:
    return compile_templates(TAKAFUL.templates, TAKAFUL.overrides, TAKAFUL.schema())


def entry(compiled: CompiledTemplates, **values: object) -> list[str]:
    """The lines of one event, as `DR 1200 150`."""
    expansion = compiled.expand(events(event(1, **values), schema=TAXI.schema()))  # type: ignore[arg-type]
    assert expansion.rejects.is_empty(), expansion.rejects["message"].to_list()
    return [each.removeprefix("1: ").replace(" OP", "") for each in written(expansion)]


# --- both packs -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["taxi", "takaful"])
def test_a_pack_can_be_used_as_it_is(name: str) -> None:
    pack = read_pack(name)
    codes = [account.code for account in pack.accounts]
    control = [account.code for account in pack.accounts if account.control]
    assert len(set(codes)) == len(codes)
    problems = [
        each
        for template in pack.templates
        for each in check_template(template, pack.schema(), codes, control)
    ]
    assert problems == []
    assert {override.to_account for override in pack.overrides} <= set(codes)
    assert all(account.parent in (None, *codes) for account in pack.accounts)
    compile_templates(
        pack.templates, pack.overrides, pack.schema(), {code: n for n, code in enumerate(codes)}
    )


@pytest.mark.parametrize("name", ["taxi", "takaful"])
def test_every_line_is_in_the_fund_of_its_account_and_every_account_is_used(name: str) -> None:
    pack = read_pack(name)
    funds = {account.code: account.fund for account in pack.accounts}
    lines = [line for template in pack.templates for line in template.lines]
    assert [line for line in lines if funds[line.account] != line.fund] == []
    assert set(funds) == {line.account for line in lines} | {each.to_account for each in pack.overrides}


def test_the_packs_agree_on_the_accounts_they_share() -> None:
    shared = {each.code: each for each in TAXI.accounts}
    assert [each for each in TAKAFUL.accounts if each != shared.get(each.code, each)] == []


def test_the_control_accounts_are_those_of_the_policy() -> None:
    assert {account.code for account in TAXI.accounts if account.control} == {
        "1200",
        "1300",
        "2100",
        "2300",
        "2500",
    }


def test_an_unknown_pack_is_refused() -> None:
    assert pack_names() == ["takaful", "taxi"]
    with pytest.raises(UnknownPack, match=r"no pack \.\./taxi; there are takaful, taxi"):
        read_pack("../taxi")


# --- taxi: domain.md, "Double entry behind it" ----------------------------------------------------------------------

ROWS: list[tuple[dict[str, object], list[str]]] = [
    ({"txn_type": "TRIP", "product": "C", "amount": "15.80"}, ["DR 1100 15.8", "CR 2300 15.8"]),
    ({"txn_type": "TRIP", "product": "P", "amount": "15.80"}, ["DR 1100 15.8", "CR 2300 15.8"]),
    ({"txn_type": "TRIP", "product": "C", "amount": "-15.80"}, ["CR 1100 15.8", "DR 2300 15.8"]),
    (
        {"txn_type": "CURB_SETTLEMENT", "amount": "1000", "fees": "35.50"},
        ["DR 1010 964.5", "DR 5200 35.5", "CR 1100 1000"],
    ),
    ({"txn_type": "CURB_SETTLEMENT", "amount": "1000", "fees": "0"}, ["DR 1010 1000", "CR 1100 1000"]),
    ({"txn_type": "EARNINGS", "amount": "-560"}, ["CR 1200 560", "DR 2300 560"]),
    ({"txn_type": "EARNINGS", "amount": "12"}, ["DR 1200 12", "CR 2300 12"]),
    *(
        ({"txn_type": "TAXES", "product": tax, "amount": "40"}, ["DR 1200 40", f"CR {account} 40"])
        for tax, account in TAX_ACCOUNTS.items()
    ),
    ({"txn_type": "TAXES", "product": "MTA", "amount": "-4"}, ["CR 1200 4", "DR 2210 4"]),
    *(
        ({"txn_type": kind, "amount": "25"}, ["DR 1200 25", f"CR {account} 25"])
        for kind, account in AGENCY_ACCOUNTS.items()
    ),
    *(
        ({"txn_type": "FLEET_COST", "product": kind, "amount": "25"}, ["DR 5000 25", f"CR {account} 25"])
        for kind, account in AGENCY_ACCOUNTS.items()
    ),
    *(
        ({"txn_type": "AGENCY_PAID", "product": kind, "amount": "25"}, [f"DR {account} 25", "CR 1010 25"])
        for kind, account in (TAX_ACCOUNTS | AGENCY_ACCOUNTS).items()
    ),
    ({"txn_type": "LEASE", "amount": "500"}, ["DR 1200 500", "CR 4000 500"]),
    ({"txn_type": "REPAIR", "amount": "100"}, ["DR 1200 100", "CR 4100 100"]),
    *(
        ({"txn_type": "MISC", "product": category, "amount": "50"}, ["DR 1200 50", "CR 4200 50"])
        for category in MISC
    ),
    ({"txn_type": "MISC", "product": "Chargeback", "amount": "50"}, ["DR 1200 50", "CR 1100 50"]),
    ({"txn_type": "MISC", "product": "Chargeback", "amount": "-50"}, ["CR 1200 50", "DR 1100 50"]),
    ({"txn_type": "MISC", "product": "Cleaning", "amount": "-50"}, ["CR 1200 50", "DR 4200 50"]),
    ({"txn_type": "CANCELLATION_FEE", "amount": "500"}, ["DR 1200 500", "CR 4300 500"]),
    ({"txn_type": "LOAN_PAID_OUT", "amount": "1200"}, ["DR 1300 1200", "CR 1010 1200"]),
    (
        {"txn_type": "LOAN", "amount": "253.29", "principal": "250", "interest": "3.29"},
        ["DR 1200 253.29", "CR 1300 250", "CR 4400 3.29"],
    ),
    (
        {"txn_type": "LOAN", "amount": "-253.29", "principal": "-250", "interest": "-3.29"},
        ["CR 1200 253.29", "DR 1300 250", "DR 4400 3.29"],
    ),
    (
        {"txn_type": "LOAN", "amount": "200", "principal": "200", "interest": "0"},
        ["DR 1200 200", "CR 1300 200"],
    ),
    ({"txn_type": "LOAN_FORGIVEN", "amount": "200"}, ["DR 5100 200", "CR 1300 200"]),
    ({"txn_type": "DEPOSIT", "amount": "250"}, ["DR 1200 250", "CR 2100 250"]),
    ({"txn_type": "DEPOSIT_APPLIED", "amount": "-100"}, ["CR 1200 100", "DR 2100 100"]),
    ({"txn_type": "DEPOSIT_REFUNDED", "amount": "150"}, ["DR 2100 150", "CR 1010 150"]),
    *(
        (
            {"txn_type": "INTERIM_PAYMENT", "channel": channel, "amount": "-100"},
            ["CR 1200 100", f"DR {account} 100"],
        )
        for channel, account in DESK_ACCOUNTS.items()
    ),
    ({"txn_type": "DRAWER_BANKED", "amount": "900"}, ["DR 1010 900", "CR 1020 900"]),
    ({"txn_type": "DRAWER_DIFFERENCE", "amount": "5"}, ["DR 5900 5", "CR 1020 5"]),
    ({"txn_type": "DRAWER_DIFFERENCE", "amount": "-5"}, ["CR 5900 5", "DR 1020 5"]),
    ({"txn_type": "CHECK_BOUNCED", "amount": "100"}, ["DR 1200 100", "CR 1010 100"]),
    ({"txn_type": "PAYOUT", "amount": "300"}, ["DR 1200 300", "CR 2500 300"]),
    ({"txn_type": "DTR_PAID", "amount": "300"}, ["DR 2500 300", "CR 1010 300"]),
    ({"txn_type": "DTR_RETURNED", "amount": "300"}, ["DR 1010 300", "CR 2500 300"]),
    ({"txn_type": "DTR_PAID", "channel": "CASH", "amount": "300"}, ["DR 2500 300", "CR 1020 300"]),
    ({"txn_type": "DTR_PAID", "channel": "CHECK", "amount": "300"}, ["DR 2500 300", "CR 1010 300"]),
    ({"txn_type": "DTR_RETURNED", "channel": "CASH", "amount": "300"}, ["DR 1020 300", "CR 2500 300"]),
    ({"txn_type": "DTR_RETURNED", "channel": "ACH", "amount": "300"}, ["DR 1010 300", "CR 2500 300"]),
    *(
        (
            {
                "txn_type": "INTERIM_PAYMENT",
                "product": f"REFUND_{how}",
                "channel": f"REFUND_{how}",
                "amount": "40",
            },
            ["DR 1200 40", f"CR {account} 40"],
        )
        for how, account in (("CASH", "1020"), ("CHECK", "1010"), ("ACH", "1010"))
    ),
    *(
        ({"txn_type": category, "product": "OPENING", "amount": "70"}, ["DR 1200 70", "CR 3000 70"])
        for category in OPENED
    ),
    ({"txn_type": "ADJUSTMENT", "product": "OPENING", "amount": "-70"}, ["CR 1200 70", "DR 3000 70"]),
    ({"txn_type": "WRITE_OFF", "amount": "-80"}, ["CR 1200 80", "DR 5100 80"]),
    ({"txn_type": "ADJUSTMENT", "amount": "-80"}, ["CR 1200 80", "DR 4900 80"]),
    ({"txn_type": "RECON_DIFFERENCE", "amount": "3"}, ["DR 5200 3", "CR 1100 3"]),
    ({"txn_type": "OPENING_BALANCE", "amount": "700"}, ["DR 1200 700", "CR 3000 700"]),
    ({"txn_type": "OPENING_BALANCE", "amount": "-700"}, ["CR 1200 700", "DR 3000 700"]),
]


@pytest.mark.parametrize(("values", "lines"), ROWS, ids=lambda value: "-".join(map(str, value)))
def test_the_policy_row_by_row(taxi: CompiledTemplates, values: dict[str, object], lines: list[str]) -> None:
    assert entry(taxi, **values) == lines


def test_every_template_and_match_of_the_taxi_pack_is_in_the_table_above() -> None:
    used = {
        (str(row["txn_type"]), str(row.get("product", "")), str(row.get("channel", ""))) for row, _ in ROWS
    }
    matches = [match for template in TAXI.templates if template.lines for match in template.matches]
    missing = [
        match
        for match in matches
        if not any(
            kind == match.txn_type and match.product in (None, product) and match.channel in (None, channel)
            for kind, product, channel in used
        )
    ]
    assert missing == []


def postings() -> Iterator[dict[str, object]]:
    """Every category, product and channel of a driver posting."""
    for category in [*Category.values, "OPENING_BALANCE"]:
        products = {"TAXES": list(Tax.values), "MISC": [*MISC, "Chargeback"]}.get(category, [""])
        for product in products:
            for channel in DESK_ACCOUNTS if category == "INTERIM_PAYMENT" else [""]:
                yield {"txn_type": category, "product": product, "channel": channel}


@pytest.mark.parametrize("amount", ["123.45", "-123.45", "0.01", "-0.01"])
def test_the_line_on_1200_is_the_amount_of_every_driver_posting(taxi: CompiledTemplates, amount: str) -> None:
    kinds = list(postings())
    rows = [event(n, amount, principal=amount, interest="0", **kind) for n, kind in enumerate(kinds)]
    expansion = taxi.expand(events(*rows, schema=TAXI.schema()))
    assert expansion.rejects.is_empty() and expansion.skipped == 0
    signed = pl.when(pl.col("side") == "DR").then(pl.col("amount")).otherwise(-pl.col("amount"))
    drivers = expansion.lines.filter(pl.col("account") == "1200").select("row", signed.alias("amount"))
    assert dict(drivers.rows()) == {n: Decimal(amount) for n in range(len(kinds))}
    assert len(kinds) >= 34 and drivers.height == len(kinds)


def test_every_tax_of_the_ledger_has_its_account() -> None:
    assert set(Tax.values) == set(TAX_ACCOUNTS)


@pytest.mark.parametrize("payment_type", ["$", "N", "D"])
def test_trips_without_card_money_are_skipped(taxi: CompiledTemplates, payment_type: str) -> None:
    trip = event(1, "15.80", txn_type="TRIP", product=payment_type)
    expansion = taxi.expand(events(trip, schema=TAXI.schema()))
    assert (expansion.skipped, expansion.lines.height, expansion.rejects.height) == (1, 0, 0)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"txn_type": "TRIP", "product": "X"}, "no template for TRIP of product X"),
        ({"txn_type": "TAXES"}, "no template for TAXES on 2019-03-02: TAXES_"),
        ({"txn_type": "TAXES", "product": "VAT"}, "wants product"),
        ({"txn_type": "INTERIM_PAYMENT"}, "wants product OPENING"),
        ({"txn_type": "INTERIM_PAYMENT", "channel": "WIRE"}, "with channel WIRE"),
        ({"txn_type": "FLEET_COST"}, "wants product"),
        ({"txn_type": "LOAN"}, "TEMPLATE LOAN/1, line 2: column principal is empty"),
        ({"txn_type": "LOAN", "principal": "149", "interest": "0.99"}, "entry off by 0.01 in fund OP"),
        ({"txn_type": "CURB_SETTLEMENT"}, "column fees is empty"),
        ({"txn_type": "LEASE", "amount": "0"}, "no line is left"),
        ({"txn_type": "LEASE", "amount": "-100000000000000.00"}, "more than 14 digits before the point"),
        ({"txn_type": "LEASES"}, "no template is for LEASES at all"),
    ],
)
def test_what_the_policy_does_not_know_is_rejected(
    taxi: CompiledTemplates, values: dict[str, object], words: str
) -> None:
    expansion = taxi.expand(events(event(1, **values), schema=TAXI.schema()))  # type: ignore[arg-type]
    assert expansion.lines.is_empty() and words in refused(expansion)[1], refused(expansion)


# --- takaful: the worked figures of takaful.md ----------------------------------------------------------------------

PARTS = ("gross", "tabarru", "tanahud", "invest", "ujroh", "admin")


def takaful_event(kind: str, product: str, *amounts: str, row: int = 1) -> dict[str, object]:
    """gross, tabarru, tanahud, invest, ujroh, admin."""
    parts = {f"{name}_amount": amount for name, amount in zip(PARTS, amounts, strict=True)}
    return event(
        row, amounts[0], txn_type=kind, product=product, channel="AGENCY", on=date(2026, 9, 5), **parts
    )


def takaful_entry(compiled: CompiledTemplates, *rows: dict[str, object]) -> list[str]:
    expansion = compiled.expand(events(*rows, schema=TAKAFUL.schema()))
    assert expansion.rejects.is_empty(), expansion.rejects["message"].to_list()
    return written(expansion)


@pytest.mark.parametrize("product", ["LIFE01", "FAM01", "INV01"])
def test_the_worked_premium(takaful: CompiledTemplates, product: str) -> None:
    assert takaful_entry(
        takaful, takaful_event("PREMIUM_RECEIPT", product, "1000", "300", "0", "600", "100", "0")
    ) == [
        "1: DR 1010 OP 1000",
        "1: CR 2610 OP 300",
        "1: CR 2630 OP 600",
        "1: CR 4510 OP 100",
        "1: DR 1610 TBR 300",
        "1: CR 4610 TBR 300",
        "1: DR 1630 INV 600",
        "1: CR 4630 INV 600",
    ]


@pytest.mark.parametrize("product", ["LIFE01", "FAM01", "INV01"])
def test_the_worked_claim(takaful: CompiledTemplates, product: str) -> None:
    assert takaful_entry(
        takaful, takaful_event("CLAIM_PAID", product, "780", "800", "0", "0", "0", "20")
    ) == [
        "1: DR 5610 TBR 800",
        "1: CR 2710 TBR 800",
        "1: DR 1710 OP 800",
        "1: CR 1010 OP 780",
        "1: CR 4520 OP 20",
    ]


@pytest.mark.parametrize("product", ["LIFE01", "FAM01", "INV01"])
def test_all_twelve_lines_of_a_premium_and_all_eight_of_a_claim(
    takaful: CompiledTemplates, product: str
) -> None:
    rows = [
        takaful_event("PREMIUM_RECEIPT", product, "100", "20", "10", "50", "15", "5"),
        takaful_event("CLAIM_PAID", product, "95", "60", "0", "40", "0", "5", row=2),
    ]
    assert takaful_entry(takaful, *rows) == [
        "1: DR 1010 OP 100",
        "1: CR 2610 OP 20",
        "1: CR 2620 OP 10",
        "1: CR 2630 OP 50",
        "1: CR 4510 OP 15",
        "1: CR 4520 OP 5",
        "1: DR 1610 TBR 20",
        "1: CR 4610 TBR 20",
        "1: DR 1620 TNH 10",
        "1: CR 4620 TNH 10",
        "1: DR 1630 INV 50",
        "1: CR 4630 INV 50",
        "2: DR 5610 TBR 60",
        "2: CR 2710 TBR 60",
        "2: DR 5630 INV 40",
        "2: CR 2730 INV 40",
        "2: DR 1710 OP 60",
        "2: DR 1730 OP 40",
        "2: CR 1010 OP 95",
        "2: CR 4520 OP 5",
    ]


def test_a_refunded_premium_swaps_every_side(takaful: CompiledTemplates) -> None:
    lines = takaful_entry(
        takaful, takaful_event("PREMIUM_RECEIPT", "FAM01", "-100", "-20", "-10", "-50", "-15", "-5")
    )
    assert len(lines) == 12 and lines[0] == "1: CR 1010 OP 100" and lines[9] == "1: DR 4620 TNH 10"


def test_fractions_of_a_cent_are_adjusted_for_inv01_alone(takaful: CompiledTemplates) -> None:
    """33.333333 three times is 99.99 in cents; the operator takes the cent."""
    parts = ("100", "33.333333", "0", "33.333333", "33.333334", "0")
    lines = takaful_entry(takaful, takaful_event("PREMIUM_RECEIPT", "INV01", *parts))
    assert lines[-1] == "1: CR 4520 OP 0.01" and len(lines) == 9
    expansion = takaful.expand(
        events(takaful_event("PREMIUM_RECEIPT", "LIFE01", *parts), schema=TAKAFUL.schema())
    )
    assert refused(expansion) == {
        1: "TEMPLATE PREMIUM_LIFE01/1, entry off by 0.01 in fund OP: debits 100.00, credits 99.99"
    }


def test_parts_that_are_not_the_gross_are_rejected(takaful: CompiledTemplates) -> None:
    off = takaful_event("PREMIUM_RECEIPT", "INV01", "100", "20", "10", "50", "15", "4.96")
    expansion = takaful.expand(events(off, schema=TAKAFUL.schema()))
    assert refused(expansion)[1].endswith("entry off by 0.04 in fund OP: debits 100.00, credits 99.96")


def test_the_three_products_have_templates_of_their_own_one_conditional_one_adjusting() -> None:
    premiums = {each.code: each for each in TAKAFUL.templates if each.code.startswith("PREMIUM_")}
    assert sorted(premiums) == ["PREMIUM_FAM01", "PREMIUM_INV01", "PREMIUM_LIFE01"]
    assert [code for code, each in premiums.items() if any(line.condition for line in each.lines)] == [
        "PREMIUM_FAM01"
    ]
    assert [code for code, each in premiums.items() if each.control.action == "AUTO_ADJUST"] == [
        "PREMIUM_INV01"
    ]
