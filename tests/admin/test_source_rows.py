"""Rows of other packs among the source rows: without driver, account or times, and shown all the same."""

from pathlib import Path

import pytest
from django.test import Client

from batconnect.common.models import User
from ledger.models import SourceTransaction
from tests.ledger.takaful_rows import load, premium

pytestmark = pytest.mark.django_db


def test_a_premium_is_listed_and_shown_with_what_it_consists_of(tmp_path: Path) -> None:
    load(premium(), folder=tmp_path)
    client = Client()
    client.force_login(User.objects.create_superuser("boss"))
    listed = client.get("/admin/ledger/sourcetransaction/")
    assert listed.status_code == 200
    assert "P-1" in listed.content.decode()
    shown = client.get(f"/admin/ledger/sourcetransaction/{SourceTransaction.objects.get().pk}/change/")
    assert shown.status_code == 200
    page = shown.content.decode()
    assert "Source row P-1" in page
    for said in ("PREMIUM_RECEIPT LIFE01", "Tabarru", "300.00", "Ujroh", "LP-1", "rows.csv, row 2"):
        assert said in page, said
