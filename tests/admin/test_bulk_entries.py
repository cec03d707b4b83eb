"""A bulk entry's page leads to its run and source row, and the journal's list shows one run's entries."""

import pytest
from django.urls import reverse

from ledger.models import EntryHeader
from tests.ledger.bulk_leaves import mixed_ledger
from tests.ledger.journal_story import enter_plain

pytestmark = pytest.mark.django_db
LIST = reverse("admin:ledger_entryheader_changelist")


def listed(page) -> set[int]:
    return {entry.pk for entry in page.context["cl"].result_list}


@pytest.mark.parametrize("which", [0, 1], ids=["large", "small"])
def test_the_page_of_a_bulk_entry_shows_its_run_its_row_and_its_template_s_lines(chief, which):
    run = mixed_ledger()[which]
    shard = run.shards.earliest("number")
    entry = EntryHeader.objects.get(pk=shard.entry_base + 1)
    page = chief.get(reverse("admin:ledger_entryheader_change", args=[entry.je_number]))
    text = page.content.decode()
    assert f"Run {run.pk}, test" in text
    assert "Taken with" in text
    assert f"shard 0, source rows {shard.first_source_id} to {shard.last_source_id}" in text
    assert "Template line" in text
    online = chief.get(
        reverse("admin:ledger_entryheader_change", args=[enter_plain("1010", "3000", "1.00").je_number])
    )
    assert "Template line" not in online.content.decode() and "Taken with" not in online.content.decode()


def test_the_list_can_be_of_one_run(chief):
    large, small, gone = mixed_ledger()
    assert listed(chief.get(LIST, {"run": large.pk})) == set(
        EntryHeader.objects.filter(batch_id=large.pk).values_list("pk", flat=True)
    )
    base = small.shards.get().entry_base
    assert (
        listed(chief.get(LIST, {"run": small.pk}))
        == set(EntryHeader.objects.filter(batch_id=0, pk__gt=base).values_list("pk", flat=True))
        != set()
    )
    assert len(listed(chief.get(LIST, {"run": gone.pk}))) == 2
    for nothing in ("0", "x", "²", "9" * 30, str(2**62)):
        assert listed(chief.get(LIST, {"run": nothing})) == set()
