"""The ACH file, read by somebody else's parser and by field positions as the rules publish them."""

import time
from datetime import date, datetime
from decimal import Decimal

import pytest
from ach.parser import Parser

from batconnect.common.models import AuditEntry
from ledger.engine.nacha import CreditEntry, Originator, routing_checksum_holds, write_credits
from ledger.models import DTR, PayoutItem
from ledger.services.payouts import ach_batches, nacha_file
from tests.factories import make_user
from tests.ledger.payout_stories import MONDAY, OTHER_ROUTING, ROUTING, approved, filed, net_pay, paid_by

ORIGINATOR = Originator(
    destination="061999998", destination_name="Example Bank", origin="1999999999", origin_name="Example Fleet",
    company_name="Example Fleet", company_id="1999999999", odfi="061999998", description="Driver pay",
)  # fmt: skip
# Records and fields: name, first column (from 1), length; as in the NACHA operating rules, appendix three.
FIELDS = {
    "1": "type:1:1 priority:2:2 destination:4:10 origin:14:10 date:24:6 time:30:4 modifier:34:1 size:35:3 "
    "blocking:38:2 format:40:1 destination_name:41:23 origin_name:64:23 reference:87:8",
    "5": "type:1:1 service:2:3 company:5:16 discretionary:21:20 company_id:41:10 class:51:3 description:54:10 "
    "descriptive:64:6 effective:70:6 settlement:76:3 status:79:1 odfi:80:8 number:88:7",
    "6": "type:1:1 code:2:2 rdfi:4:8 check:12:1 account:13:17 amount:30:10 id:40:15 name:55:22 discretionary:77:2 "
    "addenda:79:1 trace:80:15",
    "8": "type:1:1 service:2:3 count:5:6 hash:11:10 debit:21:12 credit:33:12 company_id:45:10 mac:55:19 "
    "reserved:74:6 odfi:80:8 number:88:7",
    "9": "type:1:1 batches:2:6 blocks:8:6 count:14:8 hash:22:10 debit:32:12 credit:44:12 reserved:56:39",
}


def records(content: bytes) -> list[dict[str, str]]:
    """The file by published positions, padding left out."""
    found = []
    for line in content.decode("ascii").splitlines():
        assert len(line) == 94
        if line == "9" * 94:
            continue
        fields = [field.split(":") for field in FIELDS[line[0]].split()]
        assert sum(int(length) for _, _, length in fields) == 94
        found.append({name: line[int(at) - 1 : int(at) - 1 + int(length)] for name, at, length in fields})
    return found


def check_is_sound(content: bytes) -> None:
    """Blocks, order, counts, sums, hash and check digits, worked out here from the entries."""
    lines = content.decode("ascii").splitlines()
    assert len(lines) % 10 == 0
    header, batch, *entries, batch_end, file_end = records(content)
    assert [one["type"] for one in (header, batch, batch_end, file_end)] == ["1", "5", "8", "9"]
    assert {one["type"] for one in entries} == {"6"}
    cents = sum(int(one["amount"]) for one in entries)
    hashed = str(sum(int(one["rdfi"]) for one in entries))[-10:]
    for end in (batch_end, file_end):
        assert (int(end["count"]), int(end["debit"]), int(end["credit"])) == (len(entries), 0, cents)
        assert int(end["hash"]) == int(hashed)
    assert (int(file_end["batches"]), int(file_end["blocks"])) == (1, len(lines) // 10)
    assert (batch["service"], batch_end["service"], batch["class"]) == ("220", "220", "PPD")
    traces = [one["trace"] for one in entries]
    assert traces == sorted(set(traces)) and {trace[:8] for trace in traces} == {batch["odfi"]}
    for one in entries:
        digits = [int(digit) for digit in one["rdfi"] + one["check"]]
        assert sum(digit * weight for digit, weight in zip(digits, [3, 7, 1] * 3, strict=True)) % 10 == 0
        assert one["code"] in ("22", "32") and one["addenda"] == "0"


@pytest.mark.django_db
def test_the_file_of_a_batch_says_what_is_to_be_paid_to_an_independent_parser():
    first, second = net_pay("1234.56", "0.07", names=["Zoë Müller-Lüdenscheidt the Third", "Ann Lee"])
    paid_by(first, account_number="12-345678901234567"[:17], routing_number=OTHER_ROUTING)
    paid_by(second, account_number="0042", savings=True)
    content = nacha_file.file_of(number=filed().number, actor=make_user())
    check_is_sound(content)

    parsed = Parser(content.decode()).as_dict()
    (batch,) = parsed["batches"]
    one, two = (entry["entry_detail"] for entry in batch["entries"])
    assert one["transaction_code"] == "22" and two["transaction_code"] == "32"
    assert one["recv_dfi_id"] + one["check_digit"] == OTHER_ROUTING
    assert two["recv_dfi_id"] + two["check_digit"] == ROUTING
    assert [entry["dfi_acnt_num"].strip() for entry in (one, two)] == ["12-34567890123456", "0042"]
    assert [int(entry["amount"]) for entry in (one, two)] == [123456, 7]
    assert [entry["ind_id"].strip() for entry in (one, two)] == [first.number, second.number]
    assert [entry["ind_name"] for entry in (one, two)] == ["ZOE MULLER-LUDENSCHEID", "ANN LEE               "]
    assert batch["batch_header"]["eff_ent_date"] == "190312"
    assert parsed["file_header"]["immediate_dest"] == " 061999998"
    assert int(parsed["file_control"]["credit_amount"]) == 123463


@pytest.mark.django_db
def test_the_file_is_the_same_whenever_it_is_made_again_and_who_took_it_is_known():
    (dtr,) = net_pay("300.00", names=["Ann Lee"])
    paid_by(dtr)
    batch = filed()
    first = nacha_file.file_of(number=batch.number, actor=make_user())
    ach_batches.mark_sent(number=batch.number, on=MONDAY, actor=make_user())
    dtr.driver.name = "Ann Lee-Miller"
    dtr.driver.save()
    paid_by(dtr, account_number="999999")
    assert nacha_file.file_of(number=batch.number, actor=make_user(username="curious")) == first
    assert AuditEntry.objects.filter(action="payout_batch.file_taken", actor__username="curious").count() == 1


@pytest.mark.django_db
def test_a_second_file_of_a_day_has_another_letter_and_other_traces():
    first, second = net_pay("300.00", "20.00")
    paid_by(first)
    one = filed()
    paid_by(second)
    two = filed()
    assert (one.file_modifier, two.file_modifier) == ("A", "B")
    traces = set(PayoutItem.objects.values_list("trace_number", flat=True))
    assert len(traces) == 2 and all(trace.startswith("06199999") for trace in traces)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("odfi", "061999999"),
        ("destination", ""),
        ("company_id", "12345678901"),
        ("company_name", "Fleet \u00e9"),
    ],
)
def test_an_originator_that_is_not_set_right_is_named_before_anything_is_made(settings, setting, value):
    (dtr,) = net_pay("300.00")
    paid_by(dtr)
    batch = approved()
    settings.ACH_ORIGINATOR = {**settings.ACH_ORIGINATOR, setting: value}
    with pytest.raises(nacha_file.OriginatorMissing, match=f"ACH_{setting.upper()}"):
        nacha_file.make_file(number=batch.number, on=MONDAY, actor=make_user())
    batch.refresh_from_db()
    assert batch.state == "APPROVED" and DTR.objects.get().status == "FINALIZED"


def test_two_thousand_payments_are_a_valid_file_in_a_moment():
    entries = [
        CreditEntry(
            ROUTING,
            f"{n:012}",
            "CHECKING",
            Decimal(n) / 100,
            f"DTR-2026-{n:05}",
            f"Driver {n}",
            f"06199999{n:07}",
        )
        for n in range(1, 2001)
    ]
    started = time.perf_counter()
    content = write_credits(
        originator=ORIGINATOR, entries=entries, made_at=datetime(2026, 11, 2, 9), modifier="A",
        effective_on=date(2026, 11, 3),
    )  # fmt: skip
    assert time.perf_counter() - started < 2
    check_is_sound(content)
    assert len(Parser(content.decode()).as_dict()["batches"][0]["entries"]) == 2000


def test_the_hash_is_cut_to_its_last_ten_digits():
    entries = [
        CreditEntry("999999992", "1", "CHECKING", Decimal("0.01"), "", "", f"06199999{n:07}")
        for n in range(1, 121)
    ]
    content = write_credits(
        originator=ORIGINATOR, entries=entries, made_at=datetime(2026, 11, 2, 9), modifier="A",
        effective_on=date(2026, 11, 3),
    )  # fmt: skip
    assert 99999999 * 120 > 10**10
    check_is_sound(content)


@pytest.mark.parametrize("count", [6, 7, 16])  # with four records beside them: a block, one more, two blocks
def test_the_last_block_is_filled_with_nines(count):
    entry = CreditEntry(ROUTING, "1", "CHECKING", Decimal("1.00"), "", "", "061999990000001")
    content = write_credits(
        originator=ORIGINATOR, entries=[entry] * count, made_at=datetime(2026, 11, 2, 9), modifier="A",
        effective_on=date(2026, 11, 3),
    )  # fmt: skip
    lines = content.decode().splitlines()
    assert len(lines) == -(-(count + 4) // 10) * 10
    assert [line for line in lines if line == "9" * 94] == lines[count + 4 :]


@pytest.mark.parametrize(
    ("number", "holds"),
    [(ROUTING, True), ("011000016", False), ("01100001", False), ("0110000150", False), ("000000000", False),
     ("01100001５", False), ("abcdefghi", False)],
)  # fmt: skip
def test_a_routing_number_has_a_checksum(number, holds):
    assert routing_checksum_holds(number) is holds


def test_what_has_an_account_in_it_does_not_show_it():
    entry = CreditEntry(ROUTING, "123456789", "CHECKING", Decimal("1.00"), "DTR-1", "Ann", "1")
    assert "123456789" not in repr(entry) and ROUTING not in repr(entry)
