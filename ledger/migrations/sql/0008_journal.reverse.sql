-- Postings, trips and net pay would get their entries anew; the others are nowhere else.
DO $$ BEGIN
  IF EXISTS (SELECT FROM ledger_entry_header WHERE origin NOT IN ('POSTING', 'TRIP', 'DTR')) THEN
    RAISE EXCEPTION 'the journal holds entries that cannot be made anew; this migration is not taken back';
  END IF;
END $$;
DROP FUNCTION ledger_lock_guarded(int[]);
DROP TRIGGER accounting_month_guard ON accounting_month;
DROP FUNCTION accounting_month_guard();
DROP TRIGGER template_policy_changed ON chart_of_accounts;
DROP TRIGGER template_policy_changed ON product_account_map;
DROP TRIGGER template_policy_changed ON journal_template;
DROP FUNCTION template_policy_changed();
DROP TRIGGER journal_template_control_guard ON journal_template_control;
DROP TRIGGER journal_template_line_guard ON journal_template_line;
DROP TRIGGER journal_template_match_guard ON journal_template_match;
DROP FUNCTION journal_template_part_guard();
DROP TRIGGER journal_template_guard ON journal_template;
DROP FUNCTION journal_template_guard();
DROP TRIGGER source_row_journalised_no_direct_write ON source_row_journalised;
DROP TRIGGER ledger_entry_reversal_no_direct_write ON ledger_entry_reversal;
DROP TRIGGER guarded_balance_no_truncate ON guarded_balance;
DROP TRIGGER guarded_balance_no_direct_write ON guarded_balance;
DROP TRIGGER chart_of_accounts_changed ON chart_of_accounts;
DROP FUNCTION chart_of_accounts_changed();
DROP FUNCTION ensure_journal_month(date);
DROP FUNCTION ledger_guard_journal_table(text, boolean);
DROP TABLE ledger_entry_line;
DROP TABLE ledger_entry_header;
DROP FUNCTION ledger_journal_refuse_change();
DROP FUNCTION ledger_headers_inserted();
DROP FUNCTION ledger_lines_inserted();
DROP FUNCTION ledger_explain_entry(bigint, date, bigint);
ALTER TABLE chart_of_accounts DROP COLUMN control_mask;
DROP FUNCTION ledger_origin_mask(text[]);
DROP FUNCTION ledger_origins();
CREATE OR REPLACE FUNCTION trip_total_guard() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'DELETE' OR TG_OP = 'TRUNCATE' THEN
    RAISE EXCEPTION 'trip totals are never deleted' USING ERRCODE = 'BC006';
  END IF;
  IF TG_OP = 'INSERT' THEN
    IF NEW.settled_week IS NOT NULL THEN
      RAISE EXCEPTION 'trips arrive unsettled' USING ERRCODE = 'BC006';
    END IF;
    RETURN NEW;
  END IF;
  IF (to_jsonb(OLD) - 'settled_week') <> (to_jsonb(NEW) - 'settled_week')
     OR (OLD.settled_week IS NOT NULL AND NEW.settled_week IS NOT NULL) THEN
    RAISE EXCEPTION 'a trip total only moves between unsettled and settled' USING ERRCODE = 'BC006';
  END IF;
  IF NEW.settled_week < NEW.week THEN
    RAISE EXCEPTION 'trips are settled by the run of their week or a later one' USING ERRCODE = 'BC006';
  END IF;
  RETURN NEW;
END $$;

CREATE OR REPLACE FUNCTION ledger_check_open(earliest date, what text) RETURNS void
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
  closed_through date;
BEGIN
  -- Waits for a closing week to be closed, and keeps one from closing until this transaction ends.
  PERFORM pg_advisory_xact_lock_shared(ledger_calendar_lock());
  closed_through := ledger_closed_through();
  IF earliest <= closed_through THEN
    RAISE EXCEPTION '% is dated %, and weeks are closed through %', what, earliest, closed_through
      USING ERRCODE = 'BC001', DETAIL = json_build_object('date', earliest, 'closed_through', closed_through);
  END IF;
END $$;

CREATE OR REPLACE FUNCTION ledger_posting_date(recorded_on date, chosen date) RETURNS date
LANGUAGE plpgsql STABLE SET search_path = public, pg_temp AS $$
BEGIN
  RETURN coalesce(chosen, greatest(recorded_on, ledger_closed_through() + 1));
END $$;
DROP FUNCTION ledger_hold_calendar();
DROP FUNCTION ledger_months_closed_through();
DROP SEQUENCE ledger_entry_id_seq;

CREATE OR REPLACE FUNCTION ensure_txn_source_month(month date) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  leaf text := 'txn_source_' || to_char(month, 'YYYYMM');
BEGIN
  IF month <> date_trunc('month', month::timestamp)::date OR abs(month - current_date) > 7320 THEN
    RAISE EXCEPTION '% is not the first day of a month within reach', month USING ERRCODE = 'BC002';
  END IF;
  IF to_regclass(leaf) IS NULL THEN
    PERFORM pg_advisory_xact_lock(hashtext('ensure_txn_source_month'));
    IF to_regclass(leaf) IS NULL THEN
      -- Made apart and then attached: readers and loaders of other months need not wait for it.
      EXECUTE format('CREATE TABLE %I (LIKE txn_source_parent INCLUDING ALL)', leaf);
      EXECUTE format(
        'CREATE TRIGGER txn_source_no_truncate BEFORE TRUNCATE ON %I '
        'FOR EACH STATEMENT EXECUTE FUNCTION txn_source_refuse_change()', leaf
      );
      EXECUTE format(
        'ALTER TABLE txn_source_parent ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)',
        leaf, month, (month + interval '1 month')::date
      );
    END IF;
  END IF;
  RETURN leaf;
END $$;
