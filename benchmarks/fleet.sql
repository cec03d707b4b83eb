-- A fleet for benchmarks: %(leases)s leases, each with %(items)s open items, one installment due, and %(trips)s trips
-- with five taxes in the week of %(week)s. Made set-wise, straight into the tables; the rules' triggers run.
INSERT INTO driver (tlc_license, name, phone, email, is_active)
SELECT 'B' || g, 'Driver ' || g, '', '', true FROM generate_series(1, %(leases)s) g;
INSERT INTO medallion (number, medallion_type, fleet, is_active)
SELECT 'B' || g, '', '', true FROM generate_series(1, %(leases)s) g;
INSERT INTO vehicle (vin, plate, plate_state, vehicle_type, is_active)
SELECT 'BVIN' || g, 'B' || g, 'NY', '', true FROM generate_series(1, %(leases)s) g;
INSERT INTO lease (number, driver_id, medallion_id, vehicle_id, lease_type, starts_on, status)
SELECT 'B-' || lpad(d.id::text, 7, '0'), d.id, m.id, v.id, 'long-term', %(starts_on)s, 'ACTIVE'
  FROM (SELECT id, row_number() OVER (ORDER BY id) AS n FROM driver) d
  JOIN (SELECT id, row_number() OVER (ORDER BY id) AS n FROM medallion) m USING (n)
  JOIN (SELECT id, row_number() OVER (ORDER BY id) AS n FROM vehicle) v USING (n);
INSERT INTO lease_fee (lease_id, effective_from, weekly_fee) SELECT id, %(starts_on)s, 500.00 FROM lease;
INSERT INTO driver_account (driver_id, lease_id) SELECT driver_id, id FROM lease ORDER BY id;

-- Debts of every kind: about 9 of them are covered by the week's earnings. Each with its entry in the journal.
SELECT ensure_journal_month(%(week)s::date - g) FROM generate_series(-31, 31) g;
WITH item AS MATERIALIZED (
  SELECT uuid7() AS id, nextval('ledger_entry_id_seq') AS entry_id, a.id AS account_id, a.driver_id, a.lease_id,
         l.vehicle_id, l.medallion_id, (ARRAY['EZPASS', 'PVB', 'TLC', 'REPAIR', 'LOAN', 'MISC'])[1 + g %% 6] AS category,
         20.00 + (a.id * 31 + g * 17) %% 5000 / 100.0 AS amount, 'BENCH-' || a.id || '-' || g AS reference_id,
         %(week)s::date - g %% 5 AS "on", %(week)s::date + g %% 7 AS due_on,
         (SELECT id FROM common_user WHERE username = 'system') AS actor
    FROM driver_account a JOIN lease l ON l.id = a.lease_id CROSS JOIN generate_series(1, %(items)s) g
   ORDER BY a.id, g
),
posted AS (
  INSERT INTO ledger_posting
    (id, account_id, driver_id, lease_id, vehicle_id, medallion_id, category, amount, reference_id, effective_on,
     event_on, due_on, created_by_id)
  SELECT id, account_id, driver_id, lease_id, vehicle_id, medallion_id, category, amount, reference_id, "on", "on",
         due_on, actor
    FROM item
),
entered AS (
  INSERT INTO ledger_entry_header (id, je_date, origin, posting_id, event_on, line_count, total, created_by_id)
  SELECT entry_id, "on", 'POSTING', id, "on", 2, amount, actor FROM item
)
INSERT INTO ledger_entry_line (entry_id, line_number, je_date, account_id, currency, side, amount)
SELECT i.entry_id, x.number, i."on", c.id, 'USD', x.side, i.amount
  FROM item i
 CROSS JOIN LATERAL (VALUES
   (1, 'DR', '1200'),
   (2, 'CR', CASE i.category WHEN 'EZPASS' THEN '2400' WHEN 'PVB' THEN '2410' WHEN 'TLC' THEN '2420'
                             WHEN 'REPAIR' THEN '4100' WHEN 'LOAN' THEN '1300' ELSE '4200' END)
 ) AS x(number, side, code)
  JOIN chart_of_accounts c ON c.code = x.code;

INSERT INTO import_batch
  (source, file_name, sha256, rows, accepted, rejected, duplicates, card_earnings, taxes, created_at, created_by_id)
SELECT 'bench', 'generated', '', 0, 0, 0, 0, 0, 0, now(), id FROM common_user WHERE username = 'system';
SELECT ensure_txn_source_month(date_trunc('month', %(week)s::date)::date);
INSERT INTO txn_source_parent
  (txn_month, batch_id, row_number, source, source_rowid, txn_type, product_code, channel, bank_value_date, currency,
   gross_amount, account_id, driver_id, lease_id, medallion_id, vehicle_id, week, started_at, ended_at, fare, extras,
   tips, tolls, mta_tax, improvement_surcharge, congestion_fee, airport_fee, cbd_toll)
SELECT date_trunc('month', %(week)s::date)::date, (SELECT max(id) FROM import_batch), g, 'bench',
       a.id || '-' || g, 'TRIP', CASE WHEN g %% 4 = 0 THEN '$' ELSE 'C' END, 'CURB', %(week)s::date + g %% 7, 'USD',
       7.50 + (a.id + g) %% 20, a.id, a.driver_id, a.lease_id, l.medallion_id, l.vehicle_id, %(week)s,
       (%(week)s::date + g %% 7)::timestamp AT TIME ZONE 'America/New_York' + make_interval(mins => 60 + g * 20),
       (%(week)s::date + g %% 7)::timestamp AT TIME ZONE 'America/New_York' + make_interval(mins => 72 + g * 20),
       2.70 + (a.id + g) %% 20, 0, 0, 0, 0.50, 0.30, 2.50, 1.25, 0.25
  FROM driver_account a JOIN lease l ON l.id = a.lease_id CROSS JOIN generate_series(1, %(trips)s) g
 ORDER BY a.id, g;
WITH trip AS MATERIALIZED (
  SELECT id AS source_id, nextval('ledger_entry_id_seq') AS entry_id, bank_value_date AS "on", gross_amount AS amount,
         (SELECT id FROM common_user WHERE username = 'system') AS actor
    FROM txn_source_parent WHERE product_code = 'C' ORDER BY id
),
entered AS (
  INSERT INTO ledger_entry_header (id, je_date, origin, source_id, event_on, line_count, total, created_by_id)
  SELECT entry_id, "on", 'TRIP', source_id, "on", 2, amount, actor FROM trip
)
INSERT INTO ledger_entry_line (entry_id, line_number, je_date, account_id, currency, side, amount)
SELECT t.entry_id, x.number, t."on", c.id, 'USD', x.side, t.amount
  FROM trip t CROSS JOIN LATERAL (VALUES (1, 'DR', '1100'), (2, 'CR', '2300')) AS x(number, side, code)
  JOIN chart_of_accounts c ON c.code = x.code;
INSERT INTO source_row_seen (source, source_rowid, figures_hash, transaction_id)
SELECT source, source_rowid, '\x00', id FROM txn_source_parent ORDER BY id;
INSERT INTO trip_total
  (account_id, week, batch_id, earnings, card_trips, cash_trips, other_trips, mta_tax, mta_trips,
   improvement_surcharge, improvement_trips, congestion_fee, congestion_trips, airport_fee, airport_trips, cbd_toll,
   cbd_trips, journalised)
SELECT account_id, week, batch_id, sum(gross_amount) FILTER (WHERE product_code = 'C'),
       count(*) FILTER (WHERE product_code = 'C'), count(*) FILTER (WHERE product_code = '$'), 0,
       sum(mta_tax), count(*), sum(improvement_surcharge), count(*), sum(congestion_fee), count(*),
       sum(airport_fee), count(*), sum(cbd_toll), count(*),
       sum(gross_amount) FILTER (WHERE product_code = 'C')
  FROM txn_source_parent GROUP BY account_id, week, batch_id ORDER BY account_id;
