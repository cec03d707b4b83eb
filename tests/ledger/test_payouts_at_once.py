"""Two clerks, two tabs, two workers and a process that is killed: a driver is paid once, whatever they do."""

import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection, connections

from batconnect.common.errors import BatConnectError
from ledger.models import DTR, Checkbook, DTRPayment, PayoutBatch, PayoutCheck, PayoutItem
from ledger.services import statements, voids
from ledger.services.payouts import ach_batches, checks, desk, holds, nacha_returns
from tests.factories import make_user
from tests.ledger.factories import SUNDAY, broken_proofs
from tests.ledger.payout_stories import (
    MONDAY,
    ROUTING,
    WEDNESDAY,
    filed,
    net_pay,
    paid_by,
    return_file,
    return_line,
)


def at_once(*tasks: Callable[[], Any]) -> Counter[str]:
    """Run these together, each on a connection of its own; how each ended, by the name of its error."""
    ended: Counter[str] = Counter()
    together = threading.Barrier(len(tasks))

    def run(task: Callable[[], Any]) -> None:
        try:
            connection.ensure_connection()
            together.wait(20)
            task()
            ended["done"] += 1
        except BatConnectError as error:
            ended[error.code] += 1
        except Exception as error:
            ended[f"{type(error).__name__}: {error}"] += 1
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=(task,)) for task in tasks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return ended


@pytest.mark.slow
def test_whoever_comes_first_pays_and_everybody_else_is_told(committing_database: str) -> None:
    """One database for all of it: each story takes DTRs of its own."""
    dtrs = net_pay(*[f"{10 + n}.00" for n in range(9)])
    raced, batched, sent, returned, voided, held, *checked = dtrs
    clerk = make_user()

    # Every way to pay one DTR, at once.
    paid_by(raced)
    ways = at_once(
        lambda: ach_batches.create_batch(actor=clerk, on=MONDAY, numbers=[raced.number]),
        lambda: checks.issue_checks(actor=clerk, on=MONDAY, numbers=[raced.number]),
        lambda: desk.pay_cash(actor=clerk, on=MONDAY, number=raced.number),
        lambda: statements.pay_dtr(dtr=raced, method="ACH", on=MONDAY, actor=clerk),
        lambda: desk.pay_cash(actor=clerk, on=MONDAY, number=raced.number),
    )
    assert ways["done"] == 1 and set(ways) <= {
        "done", "payouts.not_payable", "dtr.already_paid", "dtr.on_its_way"
    }, ways  # fmt: skip
    alive = PayoutItem.objects.filter(dtr=raced, state="PENDING").count()
    assert alive + DTRPayment.objects.filter(dtr=raced).count() == 1
    for batch in PayoutBatch.objects.filter(state="DRAFT"):
        ach_batches.reverse_batch(number=batch.number, reason="It was a race", actor=clerk)

    # The same batch twice, from two tabs.
    paid_by(batched)
    drafts = at_once(*[lambda: ach_batches.create_batch(actor=clerk, on=MONDAY, week=SUNDAY)] * 3)
    assert drafts == {"done": 1, "payouts.nothing": 2}
    (draft,) = PayoutBatch.objects.filter(state="DRAFT")
    ach_batches.reverse_batch(number=draft.number, reason="Not now, later", actor=clerk)
    holds.hold(dtr=batched, kind="HOLD", reason="Not in what follows", actor=clerk)

    # Sent twice, and reversed while it is sent.
    paid_by(sent), paid_by(returned)
    batch = filed()
    ways = at_once(
        lambda: ach_batches.mark_sent(number=batch.number, on=MONDAY, actor=clerk),
        lambda: ach_batches.mark_sent(number=batch.number, on=MONDAY, actor=clerk),
        lambda: ach_batches.reverse_batch(number=batch.number, reason="Changed our minds", actor=clerk),
    )
    assert ways == {"done": 1, "payout_batch.state": 2}
    assert DTRPayment.objects.filter(dtr__in=[sent, returned]).count() in (0, 2)
    if PayoutBatch.objects.get(pk=batch.pk).state == "REVERSED":
        ach_batches.mark_sent(number=filed().number, on=MONDAY, actor=clerk)

    # One file of returns from two tabs: what it has fits nothing, so no account keeps them apart.
    stray = return_file(
        *return_line(f"622{ROUTING}{'1':<17}{'1':0>10}{'':39}{'9' * 15}"[:94], code="R01", trace="9" * 15)
    )
    ways = at_once(
        *[lambda: nacha_returns.take_in(content=stray, file_name="stray", actor=clerk, on=WEDNESDAY)] * 2
    )
    assert ways == {"done": 1, "payout_returns.taken_before": 1}

    # One return from two people.
    ways = at_once(
        *[lambda: nacha_returns.record_return(dtr=returned, code="R02", on=WEDNESDAY, actor=clerk)] * 3
    )
    assert ways == {"done": 1, "payout_returns.not_returnable": 2}
    assert DTRPayment.objects.filter(dtr=returned, kind="RETURNED").count() == 1

    # A week taken back while its net pay is put into a batch; and held back while it is.
    for dtr, other in (
        (voided, lambda: voids.reverse_settlement(
            account=voided.account, week=SUNDAY, reason="Trips of another cab", actor=clerk, on=MONDAY)),
        (held, lambda: holds.hold(dtr=held, kind="HOLD", reason="Left with our radio", actor=clerk)),
    ):  # fmt: skip
        paid_by(dtr)
        ways = at_once(lambda: ach_batches.create_batch(actor=clerk, on=MONDAY, numbers=[dtr.number]), other)  # noqa: B023
        assert ways["done"] == 1, ways
        assert all(
            code.startswith(("done", "payouts.", "ledger.refused", "dtr.on_its_way")) for code in ways
        ), ways

    # Checks from two printers: each once, and no number left out.
    for dtr in checked:
        paid_by(dtr, "CHECK")
    ways = at_once(*[lambda: checks.issue_checks(actor=clerk, on=MONDAY, week=SUNDAY)] * 3)
    assert ways == {"done": 1, "payouts.nothing": 2}
    first = PayoutCheck.objects.order_by("number").first()
    assert first is not None
    ways = at_once(
        *[
            lambda: checks.reissue_check(
                number=first.number, reason="Lost in the mail", on=MONDAY, actor=clerk
            )
        ]
        * 2
    )
    assert ways == {"done": 1, "payout_check.state": 1}
    numbers = list(PayoutCheck.objects.order_by("number").values_list("number", flat=True))
    assert numbers == list(range(1001, 1001 + len(numbers)))

    # New paper from two people: one after the other, and one run of numbers is in use.
    ways = at_once(*[lambda: checks.open_checkbook(first_number=5001, actor=clerk)] * 2)
    assert ways == {"done": 2} and Checkbook.objects.filter(is_current=True).count() == 1
    assert broken_proofs() == []


@pytest.mark.slow
def test_a_sender_that_is_killed_half_way_has_paid_nobody_and_is_simply_run_again(
    committing_database: str,
) -> None:
    """Its connection is ended after each of its statements in turn; only the commit makes anything true."""
    dtrs = net_pay("300.00", "20.00")
    for dtr in dtrs:
        paid_by(dtr)
    batch, clerk = filed(), make_user()

    class Killed(BaseException):
        """Nothing catches it: as if the process were gone."""

    for survived in range(1, 12, 2):
        left = survived

        def count_down(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
            nonlocal left
            if left == 0:
                connection.connection.close()
                raise Killed
            left -= 1
            return execute(sql, params, many, context)

        with pytest.raises(Killed), connection.execute_wrapper(count_down):
            ach_batches.mark_sent(number=batch.number, on=MONDAY, actor=clerk)
        connection.close()
        assert PayoutBatch.objects.get().state == "FILED"
        assert DTRPayment.objects.count() == 0 and DTR.objects.filter(status="PAID").count() == 0
    ach_batches.mark_sent(number=batch.number, on=MONDAY, actor=clerk)
    assert DTRPayment.objects.count() == 2 and broken_proofs() == []
