-- The entries of what was posted before there was a journal, each dated as what it stands for. Their days are closed,
-- so the calendar is not asked; that every entry balances and agrees with its posting, `verify_ledger` proves.
LOCK TABLE ledger_posting, trip_total, dtr_payment IN SHARE ROW EXCLUSIVE MODE;

SELECT ensure_journal_month(month)
  FROM (
    SELECT date_trunc('month', effective_on::timestamp)::date AS month FROM ledger_posting
    UNION SELECT txn_month FROM txn_source_parent
    UNION SELECT date_trunc('month', "on"::timestamp)::date FROM dtr_payment
  ) months
 ORDER BY month;

ALTER TABLE ledger_entry_header DISABLE TRIGGER ledger_journal_inserted;
ALTER TABLE ledger_entry_line DISABLE TRIGGER ledger_journal_inserted;
ALTER TABLE trip_total DISABLE TRIGGER trip_total_guard;
ALTER TABLE source_row_journalised DISABLE TRIGGER source_row_journalised_no_direct_write;

CREATE TEMPORARY TABLE entry_to_make ON COMMIT DROP AS
SELECT nextval('ledger_entry_id_seq') AS id, e.*
  FROM (
    SELECT p.effective_on AS je_date, 'POSTING' AS origin, p.id AS posting_id, NULL::bigint AS source_id, p.event_on,
           '' AS reference, p.amount, p.created_at, p.created_by_id, '1200' AS account,
           CASE p.category
             WHEN 'TAXES' THEN CASE p.product WHEN 'MTA' THEN '2210' WHEN 'IMPROVEMENT' THEN '2220'
                                 WHEN 'CONGESTION' THEN '2230' WHEN 'CBD' THEN '2240' WHEN 'AIRPORT' THEN '2250' END
             WHEN 'EZPASS' THEN '2400' WHEN 'PVB' THEN '2410' WHEN 'TLC' THEN '2420' WHEN 'LEASE' THEN '4000'
             WHEN 'REPAIR' THEN '4100' WHEN 'MISC' THEN CASE p.product WHEN 'Chargeback' THEN '1100' ELSE '4200' END
             WHEN 'CANCELLATION_FEE' THEN '4300' WHEN 'LOAN' THEN '1300' WHEN 'DEPOSIT' THEN '2100'
             WHEN 'EARNINGS' THEN '2300'
             WHEN 'INTERIM_PAYMENT' THEN CASE p.product WHEN 'ACH' THEN '1010' WHEN 'CARD' THEN '1110' ELSE '1020' END
             WHEN 'DEPOSIT_APPLIED' THEN '2100' WHEN 'ADJUSTMENT' THEN '4900' WHEN 'WRITE_OFF' THEN '5100'
             WHEN 'PAYOUT' THEN '2500'
           END AS counter_account,
           coalesce((p.components ->> 'interest')::numeric, 0) AS interest, p.seq AS in_order
      FROM ledger_posting p
    UNION ALL
    SELECT t.bank_value_date, 'TRIP', NULL, t.id, t.bank_value_date, '', t.gross_amount, b.created_at,
           b.created_by_id, '1100', '2300', 0, t.id
      FROM txn_source_parent t JOIN import_batch b ON b.id = t.batch_id
     WHERE t.txn_type = 'TRIP' AND t.product_code IN ('C', 'P') AND t.gross_amount <> 0
    UNION ALL
    SELECT m."on", 'DTR', NULL, NULL, m."on", d.number, CASE m.kind WHEN 'PAID' THEN m.amount ELSE -m.amount END,
           m.created_at, m.created_by_id, '2500', '1010', 0, m.id
      FROM dtr_payment m JOIN dtr d ON d.id = m.dtr_id
  ) e
 ORDER BY e.created_at, e.origin, e.in_order;

INSERT INTO ledger_entry_header
  (id, je_date, origin, posting_id, source_id, event_on, line_count, total, reference, metadata, created_at,
   created_by_id)
SELECT id, je_date, origin, posting_id, source_id, event_on, CASE WHEN interest <> 0 THEN 3 ELSE 2 END, abs(amount),
       reference, '{"backfilled": true}', created_at, created_by_id
  FROM entry_to_make;

INSERT INTO ledger_entry_line (entry_id, line_number, je_date, account_id, currency, side, fund, amount)
SELECT e.id, l.number, e.je_date, a.id, 'USD', CASE WHEN l.amount > 0 THEN 'DR' ELSE 'CR' END, a.fund, abs(l.amount)
  FROM entry_to_make e
 CROSS JOIN LATERAL (VALUES
   (1, e.account, e.amount), (2, e.counter_account, e.interest - e.amount), (3, '4400', -e.interest)
 ) AS l(number, account, amount)
  JOIN chart_of_accounts a ON a.code = l.account
 WHERE l.amount <> 0;

INSERT INTO source_row_journalised (source_id, entry_id, je_date)
SELECT source_id, id, je_date FROM entry_to_make WHERE source_id IS NOT NULL;

UPDATE trip_total SET journalised = earnings;

-- A posting whose category or product had no account above has lost a line.
DO $$
DECLARE
  wrong bigint;
BEGIN
  SELECT h.id INTO wrong
    FROM ledger_entry_header h LEFT JOIN ledger_entry_line l ON l.entry_id = h.id AND l.je_date = h.je_date
   GROUP BY h.id, h.je_date, h.line_count, h.total
  HAVING count(l.id) <> h.line_count OR sum(CASE l.side WHEN 'DR' THEN l.amount ELSE -l.amount END) <> 0 LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION 'entry % of what was posted before is not complete: its posting has no account', wrong;
  END IF;
END $$;

ALTER TABLE source_row_journalised ENABLE TRIGGER source_row_journalised_no_direct_write;
ALTER TABLE trip_total ENABLE TRIGGER trip_total_guard;
ALTER TABLE ledger_entry_line ENABLE TRIGGER ledger_journal_inserted;
ALTER TABLE ledger_entry_header ENABLE TRIGGER ledger_journal_inserted;
