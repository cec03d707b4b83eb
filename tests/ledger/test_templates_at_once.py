"""Two templates that are sound alone and clash together, approved at the same moment: one of them is refused."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date
from decimal import Decimal
from threading import Barrier

import pytest
from django.db import connections

from batconnect.common.models import User
from ledger.engine.engine import TemplateError
from ledger.engine.templates import TemplateControl, TemplateLine, TemplateMatch
from ledger.models import JournalTemplate
from ledger.services import templates
from ledger.services.accounting_policy import as_template
from tests.factories import make_user

MONDAY = date(2019, 3, 11)
ROUNDS = 4


def rivals(author: User, kind: str) -> list[int]:
    made = []
    for code in (f"{kind}_A", f"{kind}_B"):
        draft = templates.create_template(
            code=code, pack="taxi", description="A rival", effective_from=MONDAY, actor=author
        )
        content = replace(
            as_template(draft),
            matches=(TemplateMatch(kind, None, None, None, None, None, 100),),
            lines=(
                TemplateLine(1, "DR", "5000", "OP", ":amount"),
                TemplateLine(2, "CR", "1010", "OP", ":amount"),
            ),
            control=TemplateControl(Decimal(0), "ERROR", None, "OP"),
        )
        templates.save_draft(template_id=draft.pk, content=content, actor=author)
        made.append(draft.pk)
    return made


@pytest.mark.slow
def test_of_two_rivals_approved_at_once_one_is_refused(committing_database: str) -> None:
    author, approver = make_user(), make_user()
    for number in range(ROUNDS):
        barrier = Barrier(2)

        def approve(pk: int, barrier: Barrier = barrier) -> str:
            try:
                barrier.wait()
                templates.approve_template(template_id=pk, effective_from=MONDAY, actor=approver, on=MONDAY)
            except TemplateError as error:
                return str(error)
            finally:
                connections.close_all()
            return "approved"

        with ThreadPoolExecutor(2) as pool:
            answers = sorted(pool.map(approve, rivals(author, f"KIND{number}")))
        assert answers[1] == "approved" and "fits the same events as well" in answers[0], answers
    assert JournalTemplate.objects.filter(code__startswith="KIND", status="ACTIVE").count() == ROUNDS
