"""The six roles of the office, each with what its people do and nothing else: docs/decisions/032-roles.md.

They are groups as Django knows them; an administrator may change them afterwards, and no later migration takes back what
was changed. Whoever has no role sees nothing.
"""

from django.contrib.auth.management import create_permissions
from django.db import migrations

FLEET = """
leases: view_driver view_medallion view_vehicle view_vehicleassignment view_lease view_leasedriver view_leasefee
  view_leaseinstallment view_leasedeposit
"""
ACCOUNTS = """
ledger: view_driveraccount view_ledgerposting view_ledgerbalance view_ledgerallocation view_dtr view_interimpayment
  view_payoutbatch view_payoutcheck view_payoutinstruction request_payoutinstruction
recon: view_agencyitem
misc_expenses: view_miscellaneousexpense
repairs: view_repairinvoice
loans: view_driverloan
cases: view_case process_case
"""
FRONT_DESK = FLEET + ACCOUNTS + """
leases: add_driver change_driver add_vehicle change_vehicle add_lease terminate_lease add_leasedeposit view_leasecap
  add_vehicleassignment change_vehicleassignment
misc_expenses: add_miscellaneousexpense
repairs: add_repairinvoice
loans: add_driverloan
recon: add_agencyitem
"""
CASHIER = FLEET + ACCOUNTS + """
ledger: take_payment close_drawer refund_credit pay_cash
loans: pay_out_driverloan
"""
READS = FLEET + ACCOUNTS.replace(" process_case", "").replace(" request_payoutinstruction", "") + """
leases: view_leasecap view_leasesuspension view_leasetermination
cases: view_all_cases view_caseevent view_casecomment view_casedocument
common: view_auditentry
jobs: view_jobrun
ledger: read_reports export_ledger view_account view_accountingmonth view_accountkind view_archivedmonth view_archivedfile
  view_balancesnapshot view_categoryrank view_creditdecision view_currency view_drawerclose view_dtrpayment view_entryheader
  view_entryline view_importbatch view_journalrun view_journaltemplate view_ledgerseal view_manualjournal
  view_monthevent view_openingimport view_parkedrow view_payoutreturn view_productaccountmap view_runreject
  view_sourcereject view_sourcetransaction view_triptotal view_weeklyrun
misc_expenses: export_miscellaneousexpense
repairs: export_repairinvoice
loans: export_driverloan
recon: view_agencyfile view_curbfetch view_curbsettlement view_externalrow view_reconjob view_reconlog view_reconmatch
  view_reconmodel view_reconnote view_reconsource
"""
ACCOUNTANT = READS + """
leases: change_driver change_vehicle change_lease terminate_lease add_leasedeposit change_leasedeposit refund_deposit
cases: process_case assign_case
misc_expenses: add_miscellaneousexpense
repairs: add_repairinvoice change_repairinvoice cancel_repairinvoice
loans: add_driverloan change_driverloan pay_out_driverloan cancel_driverloan
recon: add_agencyitem decide_agencyitem import_agencyfile fetch_curb decide_settlement run_recon decide_exception write_off
  change_reconsource
ledger: import_trips correct_parked_row run_week void_posting take_payment pay_dtr enter_journal add_account change_account
  open_account post_batch close_month close_drawer close_other_drawer fund_drawer bounce_check grant_adjustment write_off
  refund_credit request_payoutinstruction hold_payout prepare_payoutbatch issue_payoutcheck record_payoutreturn
  send_payoutbatch
"""
FINANCE_MANAGER = ACCOUNTANT + """
leases: add_lease waive_cancellation_fee release_deposit add_leasecap change_leasecap add_vehicleassignment
  change_vehicleassignment
cases: approve_case
loans: approve_driverloan forgive_driverloan
recon: add_reconsource add_reconmodel change_reconmodel
ledger: approve_journal add_journaltemplate change_journaltemplate approve_journaltemplate add_productaccountmap
  delete_productaccountmap change_hierarchy reverse_settlement reverse_batch reopen_month archive_month seal_ledger
  import_opening approve_payoutbatch approve_payoutinstruction download_payoutbatch void_payoutcheck
  open_checkbook
"""
ADMINISTRATOR = READS + """
common: add_user change_user view_user
auth: add_group change_group delete_group view_group view_permission
axes: view_accessattempt delete_accessattempt view_accessfailurelog view_accesslog
django_celery_beat: view_periodictask change_periodictask view_crontabschedule add_crontabschedule change_crontabschedule
leases: add_driver change_driver add_medallion change_medallion add_vehicle change_vehicle add_leasecap change_leasecap
recon: add_reconsource change_reconsource fetch_curb import_agencyfile
ledger: import_trips post_batch archive_month
cases: assign_case
"""
ROLES = {
    "Front desk": FRONT_DESK,
    "Cashier": CASHIER,
    "Accountant": ACCOUNTANT,
    "Finance manager": FINANCE_MANAGER,
    "Auditor": READS,
    "Administrator": ADMINISTRATOR,
}


def seed(apps, schema_editor):
    # Permissions are made after all migrations; these have to be there now.
    for config in apps.get_app_configs():
        config.models_module = True
        create_permissions(config, apps=apps, verbosity=0)
        config.models_module = None
    Group, Permission = apps.get_model("auth", "Group"), apps.get_model("auth", "Permission")
    known = {
        (label, codename): pk
        for pk, label, codename in Permission.objects.values_list("pk", "content_type__app_label", "codename")
    }
    for name, words in ROLES.items():
        group, made = Group.objects.get_or_create(name=name)
        if not made:
            continue  # somebody has one of that name, and it is his
        group.permissions.set(known[permission] for permission in wanted(words))


def wanted(words):
    """The (app, codename) that a role's words name, each once: `app:` is followed by what it may there."""
    found, label = set(), ""
    for word in words.split():
        if word.endswith(":"):
            label = word[:-1]
        else:
            found.add((label, word))
    return sorted(found)


class Migration(migrations.Migration):
    dependencies = [
        ("common", "0002_system_user"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("axes", "0010_accessattemptexpiration"),
        ("django_celery_beat", "0019_alter_periodictasks_options"),
        ("jobs", "0001_initial"),
        ("cases", "0001_initial"),
        ("ledger", "0029_voided_postings"),
        ("leases", "0004_deposits"),
        ("repayments", "0001_initial"),
        ("repairs", "0001_initial"),
        ("loans", "0001_initial"),
        ("misc_expenses", "0001_initial"),
        ("recon", "0005_tolls_and_tickets"),
    ]
    operations = [migrations.RunPython(seed, migrations.RunPython.noop)]
