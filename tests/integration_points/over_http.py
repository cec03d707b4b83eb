"""The events of the office as a client of the API brings them about. Everything is sent twice, under one key."""

import json
import uuid
from datetime import date, datetime
from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile
from rest_framework.test import APIClient

from leases.models import Lease

from .people import Office, work


class OverHttp:
    def __init__(self) -> None:
        self.office = Office()
        self._clients: dict[str, APIClient] = {}

    # --- what leads to the rows -----------------------------------------------------------------------------

    def lend(self, lease: Lease, amount: str, *, rate: str, since: date, first_due: date) -> None:
        case_no = self._open("Front desk", "DLN")
        found = self._get("Front desk", f"/bpm/case/{case_no}/DLN-001", tlc_license=lease.driver.tlc_license)
        (account,) = found["step"]["accounts"]
        data = {
            "driver_id": account["driver_id"], "lease_id": account["lease_id"], "amount": amount, "rate": rate,
            "loan_date": str(since), "first_due_on": str(first_due), "method": "CASH",
        }  # fmt: skip
        self._step("Front desk", case_no, "DLN-001", data)
        self._step("Finance manager", case_no, "DLN-002", {"decision": "APPROVE"})

    def repair(self, lease: Lease, amount: str, *, since: date, first_due: date) -> None:
        body = {
            "driver_id": lease.driver_id, "lease_id": lease.pk, "vendor": "Queens Brakes", "invoice_number": "Q-1",
            "invoice_date": str(since), "amount": amount, "description": "Brake pads and discs",
            "charge_driver": True, "first_due_on": str(first_due),
        }  # fmt: skip
        self._post("Front desk", "/repairs", body)

    # --- the rows -------------------------------------------------------------------------------------------

    def fetch_trips(self, since: datetime, until: datetime) -> None:
        body = {"from": since.isoformat(), "to": until.isoformat()}
        self._post("Accountant", "/recon/curb/fetches", body)
        work()
        (fetch,) = self._get("Accountant", "/recon/curb/fetches")["items"]
        assert (fetch["status"], fetch["imported"]["accepted"]) == ("DONE", 1)

    def load_violations(self, text: str) -> None:
        key = uuid.uuid4().hex
        answers = [
            self._client("Accountant").post(
                "/recon/violations/import",
                {"file": SimpleUploadedFile("pvb.csv", text.encode())},
                headers={"Idempotency-Key": key},
            )
            for _ in range(2)
        ]
        _once(*answers)

    def enter_summons(self, lease: Lease, number: str, amount: str, written: datetime) -> None:
        case_no = self._open("Front desk", "TLC")
        found = self._get("Front desk", f"/bpm/case/{case_no}/TLC-001", medallion=lease.medallion.number)
        (vehicle,) = found["step"]["vehicles"]
        data = {
            "number": number, "plate": vehicle["plate"], "plate_state": vehicle["plate_state"], "amount": amount,
            "issue_date": f"{written:%Y-%m-%d}", "issue_time": f"{written:%H:%M}",
        }  # fmt: skip
        self._step("Front desk", case_no, "TLC-001", data)

    def charge(self, lease: Lease, category: str, amount: str, happened: date) -> str:
        opened = self._post("Front desk", "/payments/miscellaneous-expenses/create-case", {})
        case_no = opened["case_no"]
        found = self._get("Front desk", f"/bpm/case/{case_no}/MISCEXP-001", vin=lease.vehicle.vin)
        (one,) = found["step"]["leases"]
        data = {
            "driver_id": one["driver_id"], "lease_id": one["lease_id"], "category": category, "amount": amount,
            "expense_date": str(happened),
        }  # fmt: skip
        done = self._step("Front desk", case_no, "MISCEXP-001", data)
        return str(done["result"]["expense_id"])

    def run_week(self, week: date, *, dry_run: bool = False) -> str:
        started = self._post("Accountant", "/ledger/weeks", {"week": str(week), "dry_run": dry_run})
        work()
        shown = self._get("Accountant", f"/ledger/weeks/{week}")
        job = shown["preview" if dry_run else "run"]
        assert (job["job_id"], job["status"]) == (started["job_id"], "SUCCEEDED")
        if not dry_run:
            assert shown["status"] == "CLOSED" and shown["result"] == job["result"]
        return " ".join(str(figure) for figure in job["result"].values())

    def read_dtr(self, lease: Lease, week: date) -> str:
        (row,) = self._get("Accountant", "/ledger/dtrs", week=str(week), lease_id=str(lease.pk))["items"]
        return json.dumps(self._get("Accountant", f"/ledger/dtrs/{row['number']}"))

    def take_payment(self, lease: Lease, amount: str, parts: dict[str, str]) -> None:
        body = {
            "driver_id": lease.driver_id, "lease_id": lease.pk, "total_payment_amount": amount,
            "payment_method": "CASH", "allocations": parts,
        }  # fmt: skip
        self._post("Cashier", "/ledger/interim-payment", body)

    def void(self, reference: str, reason: str) -> None:
        (posting,) = self._get("Accountant", "/ledger/postings", reference_id=reference)["items"]
        self._post("Accountant", f"/ledger/postings/{posting['posting_id']}/void", {"reason": reason})

    def terminate(self, lease: Lease, last_day: date, reason: str) -> None:
        path, body = f"/leases/{lease.pk}/terminate", {"ends_on": str(last_day), "reason": reason}
        told = self._client("Front desk").post(path, {**body, "dry_run": True}, format="json").json()
        done = self._post("Front desk", path, body)
        assert told["balance_after"] == done["balance_after"], "what was told beforehand is what was done"

    # --- how it is sent -------------------------------------------------------------------------------------

    def _client(self, role: str) -> APIClient:
        if role not in self._clients:
            self._clients[role] = APIClient()
            self._clients[role].force_login(self.office[role])
        return self._clients[role]

    def _get(self, role: str, path: str, **query: str) -> Any:
        answer = self._client(role).get(path, query)
        assert answer.status_code == 200, (path, answer.content)
        return answer.json()

    def _post(self, role: str, path: str, body: Any) -> Any:
        key = {"Idempotency-Key": uuid.uuid4().hex}
        return _once(*(self._client(role).post(path, body, format="json", headers=key) for _ in range(2)))

    def _open(self, role: str, flow: str) -> str:
        return str(self._post(role, "/bpm/cases", {"flow": flow})["case_no"])

    def _step(self, role: str, case_no: str, step: str, data: dict[str, Any]) -> Any:
        return self._post(role, f"/bpm/case/{case_no}", {"step_id": step, "data": data})


def _once(first: Any, again: Any) -> Any:
    """The answer of a request that was sent twice and had one effect."""
    assert first.status_code in (200, 201, 202), first.content
    assert (again.status_code, again.json()) == (first.status_code, first.json())
    assert again.headers["Idempotent-Replayed"] == "true"
    return first.json()
