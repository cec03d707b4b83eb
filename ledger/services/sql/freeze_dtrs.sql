-- Freeze the DTRs of a set of accounts for one week, from the ledger alone.
--
-- Parameters: week, saturday, accounts[], numbers[] (one DTR number per account), allocated_accounts[] and
-- allocated_amounts[] (what this run allocated to debts). The accounts' locks are held by the caller.
--
-- A report starts from what the one before said was still open, and adds every posting and allocation recorded
-- since, told by their sequence; so prior + movements = still open, whatever happened between two runs and
-- whenever it is dated. Reversals are not charges: they show as voids of what they undo.
WITH wanted AS (
  SELECT t.account_id, t.number, a.driver_id, a.lease_id
    FROM unnest(%(accounts)s::bigint[], %(numbers)s::text[]) AS t(account_id, number)
    JOIN driver_account a ON a.id = t.account_id
),
previous AS (
  SELECT w.account_id, d.still_open, coalesce(d.through_posting_seq, 0) AS seq,
         coalesce(d.through_allocation_id, 0) AS allocation_id
    FROM wanted w
    LEFT JOIN LATERAL (
      SELECT * FROM dtr WHERE dtr.account_id = w.account_id ORDER BY dtr.week DESC LIMIT 1
    ) d ON true
),
open_item AS MATERIALIZED (
  SELECT posting_id, account_id, balance, original_amount
    FROM ledger_balance WHERE account_id = ANY(%(accounts)s) AND status = 'OPEN'
),
-- LATERAL with OFFSET 0 keeps what follows to one look-up by index per account: the planner cannot know how little
-- is new, and would read every posting, allocation and trip there ever was.
new_posting AS MATERIALIZED (
  SELECT p.*, coalesce(o.balance, 0.00) AS balance
    FROM previous v
   CROSS JOIN LATERAL (
     SELECT p.id, p.account_id, p.seq, p.category, p.amount, p.reference_id, p.product, p.description, p.event_on,
            p.due_on, p.effective_on, p.reason, p.run_week, p.reversal_for_id
       FROM ledger_posting p WHERE p.account_id = v.account_id AND p.seq > v.seq OFFSET 0
   ) p
    LEFT JOIN open_item o ON o.posting_id = p.id
),
new_allocation AS MATERIALIZED (
  SELECT a.account_id, a.id, a.amount, d.category, c.category AS paid_by,
         d.reversal_for_id IS NULL AS pays_a_charge, c.reversal_for_id IS NOT NULL AS is_void
    FROM previous v
   CROSS JOIN LATERAL (
     SELECT a.account_id, a.id, a.amount, a.debit_id, a.credit_id
       FROM ledger_allocation a WHERE a.account_id = v.account_id AND a.id > v.allocation_id OFFSET 0
   ) a
   CROSS JOIN LATERAL (
     SELECT p.category, p.reversal_for_id FROM ledger_posting p WHERE p.id = a.debit_id OFFSET 0
   ) d
   CROSS JOIN LATERAL (
     SELECT p.category, p.reversal_for_id FROM ledger_posting p WHERE p.id = a.credit_id OFFSET 0
   ) c
),
movement AS (
  SELECT account_id, category, sum(prior) AS prior, sum(charges) AS charges, sum(voids) AS voids,
         sum(earnings) AS earnings, sum(desk) AS desk, sum(other) AS other,
         sum(prior) + sum(charges) - sum(voids) - sum(earnings) - sum(desk) - sum(other) AS still_open
    FROM (
      SELECT v.account_id, o.key AS category, o.value::numeric(14, 2) AS prior, 0.00 AS charges, 0.00 AS voids,
             0.00 AS earnings, 0.00 AS desk, 0.00 AS other
        FROM previous v CROSS JOIN LATERAL jsonb_each_text(v.still_open) AS o
      UNION ALL
      SELECT account_id, category, 0.00, sum(amount), 0.00, 0.00, 0.00, 0.00
        FROM new_posting WHERE amount > 0 AND reversal_for_id IS NULL
       GROUP BY account_id, category
      UNION ALL
      SELECT account_id, category, 0.00, 0.00,
             coalesce(sum(amount) FILTER (WHERE is_void), 0.00),
             coalesce(sum(amount) FILTER (WHERE NOT is_void AND paid_by IN ('EARNINGS', 'TAXES')), 0.00),
             coalesce(sum(amount) FILTER (WHERE NOT is_void AND paid_by = 'INTERIM_PAYMENT'), 0.00),
             coalesce(sum(amount) FILTER (WHERE NOT is_void
                                            AND paid_by NOT IN ('EARNINGS', 'TAXES', 'INTERIM_PAYMENT')), 0.00)
        FROM new_allocation WHERE pays_a_charge
       GROUP BY account_id, category
    ) parts
   GROUP BY account_id, category
),
-- From here on plain json, turned into jsonb once at the end: building jsonb piece by piece takes twice as long.
category_lines AS (
  SELECT m.account_id,
         json_agg(
           json_build_object(
             'category', m.category, 'prior', m.prior::text, 'charges', m.charges::text, 'voids', m.voids::text,
             'earnings', m.earnings::text, 'desk', m.desk::text, 'other', m.other::text,
             'still_open', m.still_open::text
           ) ORDER BY r.rank, m.category
         ) FILTER (WHERE (m.prior, m.charges, m.voids, m.earnings, m.desk, m.other)
                         IS DISTINCT FROM (0.00, 0.00, 0.00, 0.00, 0.00, 0.00)) AS lines,
         jsonb_object_agg(m.category, m.still_open::text) FILTER (WHERE m.still_open <> 0) AS still_open,
         sum(m.still_open) AS open_debits
    FROM movement m JOIN category_rank r ON r.category = m.category AND r.side = 'DEBIT'
   GROUP BY m.account_id
),
open_credit AS (
  SELECT account_id, -sum(balance) AS amount
    FROM open_item WHERE original_amount < 0 GROUP BY account_id
),
settled AS (
  -- One lookup per account: the planner knows how many those are, and nothing yet of what was just settled.
  SELECT w.account_id, t.*
    FROM wanted w CROSS JOIN LATERAL (
      SELECT sum(card_trips) AS card_trips, sum(cash_trips) AS cash_trips, sum(other_trips) AS other_trips,
             sum(card_trips + cash_trips + other_trips) FILTER (WHERE week < %(week)s) AS late_trips,
             sum(earnings) FILTER (WHERE week < %(week)s) AS late_earnings
        FROM trip_total
       WHERE trip_total.account_id = w.account_id AND settled_week = %(week)s
    ) t
),
settlement AS (
  SELECT p.account_id,
         coalesce(-sum(p.amount) FILTER (WHERE p.category = 'EARNINGS'), 0.00) AS earnings,
         coalesce(sum(p.amount) FILTER (WHERE p.category = 'TAXES'), 0.00) AS taxes,
         coalesce(sum(p.amount) FILTER (WHERE p.category = 'PAYOUT'), 0.00) AS net_pay,
         (array_agg(p.id) FILTER (WHERE p.category = 'PAYOUT'))[1] AS payout_id,
         json_agg(
           json_build_object(
             'product', p.product, 'amount', p.amount::text,
             'trips', (
               SELECT sum(CASE p.product
                            WHEN 'MTA' THEN t.mta_trips
                            WHEN 'IMPROVEMENT' THEN t.improvement_trips
                            WHEN 'CONGESTION' THEN t.congestion_trips
                            WHEN 'AIRPORT' THEN t.airport_trips
                            WHEN 'CBD' THEN t.cbd_trips
                          END)
                 FROM trip_total t WHERE t.account_id = p.account_id AND t.settled_week = %(week)s
             )
           ) ORDER BY p.seq
         ) FILTER (WHERE p.category = 'TAXES') AS tax_lines
    FROM new_posting p
   WHERE p.run_week = %(week)s AND p.category IN ('EARNINGS', 'TAXES', 'PAYOUT') AND p.reversal_for_id IS NULL
   GROUP BY p.account_id
),
detail AS (
  SELECT p.account_id,
         max(p.seq) AS through_seq,
         json_agg(
           json_build_array(
             p.category, p.reference_id, p.description, p.event_on, p.due_on, p.amount::text, p.balance::text,
             CASE WHEN p.run_week IS NULL THEN p.event_on < %(week)s ELSE p.due_on < %(week)s END
           ) ORDER BY r.rank, p.due_on, p.seq
         ) FILTER (WHERE p.amount > 0 AND p.reversal_for_id IS NULL AND p.category NOT IN ('TAXES', 'PAYOUT'))
           AS charges,
         json_agg(
           json_build_object('category', p.category, 'reference', p.reference_id, 'amount', (-p.amount)::text,
                              'reason', p.reason, 'on', p.effective_on)
           ORDER BY p.seq
         ) FILTER (WHERE p.reversal_for_id IS NOT NULL) AS voids,
         json_agg(
           json_build_object('reference', p.reference_id, 'on', p.event_on, 'amount', (-p.amount)::text)
           ORDER BY p.seq
         ) FILTER (WHERE p.category = 'INTERIM_PAYMENT' AND p.reversal_for_id IS NULL) AS payments
    FROM new_posting p JOIN category_rank r ON r.category = p.category AND r.side = 'DEBIT'
   GROUP BY p.account_id
),
allocation_mark AS (
  SELECT account_id, max(id) AS through_id FROM new_allocation GROUP BY account_id
),
trip_log AS (
  SELECT t.account_id,
         string_agg(
           concat_ws(
             ',', t.started_at AT TIME ZONE 'America/New_York',
             date_part('epoch', t.ended_at - t.started_at)::int / 60,
             t.product_code, t.fare, t.extras, t.tips, t.tolls,
             t.mta_tax + t.improvement_surcharge + t.congestion_fee + t.airport_fee + t.cbd_toll,
             t.gross_amount::numeric(14, 2), (t.week < %(week)s)::int
           ), E'\n' ORDER BY t.started_at, t.id
         ) AS trips
    FROM trip_total s
   CROSS JOIN LATERAL (
     SELECT * FROM txn_source_parent t
      WHERE t.account_id = s.account_id AND t.week = s.week AND t.batch_id = s.batch_id
        -- The months these trips lie in: other partitions are left alone.
        AND t.txn_month BETWEEN %(first_month)s AND %(last_month)s
     OFFSET 0
   ) t
   WHERE s.account_id = ANY(%(accounts)s) AND s.settled_week = %(week)s
   GROUP BY t.account_id
),
allocated AS (
  SELECT * FROM unnest(%(allocated_accounts)s::bigint[], %(allocated_amounts)s::numeric[]) AS t(account_id, amount)
)
INSERT INTO dtr
  (number, account_id, driver_id, lease_id, week, status, gross_earnings, taxes, allocated, net_pay, open_debits,
   open_credits, still_open, figures, charges, trip_log, payout_id, through_posting_seq, through_allocation_id, frozen_at)
SELECT w.number, w.account_id, w.driver_id, w.lease_id, %(week)s, 'FINALIZED',
       coalesce(m.earnings, 0.00), coalesce(m.taxes, 0.00), coalesce(al.amount, 0.00), coalesce(m.net_pay, 0.00),
       coalesce(c.open_debits, 0.00), coalesce(oc.amount, 0.00), coalesce(c.still_open, '{}'),
       json_build_object(
         'week', %(week)s::date, 'week_end', %(saturday)s::date,
         'driver', json_build_object('name', d.name, 'tlc_license', d.tlc_license),
         'lease', json_build_object('number', l.number, 'type', l.lease_type, 'starts_on', l.starts_on,
                                     'ends_on', l.ends_on),
         'medallion', me.number,
         'vehicle', json_build_object('vin', ve.vin, 'plate', ve.plate, 'type', ve.vehicle_type,
                                       'model_year', ve.model_year),
         'gross_earnings', coalesce(m.earnings, 0.00)::text,
         'card_trips', coalesce(s.card_trips, 0), 'cash_trips', coalesce(s.cash_trips, 0),
         'other_trips', coalesce(s.other_trips, 0), 'late_trips', coalesce(s.late_trips, 0),
         'late_earnings', coalesce(s.late_earnings, 0.00)::text,
         'categories', coalesce(c.lines, '[]'),
         'open_credits', coalesce(oc.amount, 0.00)::text,
         'open_debits', coalesce(c.open_debits, 0.00)::text,
         'taxes', coalesce(m.tax_lines, '[]'),
         'voids', coalesce(de.voids, '[]'),
         'payments', coalesce(de.payments, '[]'),
         'net_pay', coalesce(m.net_pay, 0.00)::text,
         'alerts', (
           SELECT coalesce(json_agg(json_build_object('kind', a.kind, 'expires_on', a.expires_on)), '[]')
             FROM (VALUES ('licence', d.license_expires_on), ('inspection', ve.inspection_expires_on))
                  AS a(kind, expires_on)
            WHERE a.expires_on <= %(saturday)s::date + 30
         )
       )::jsonb,
       coalesce(de.charges::jsonb, '[]'), coalesce(tl.trips, ''), m.payout_id,
       coalesce(de.through_seq, v.seq), coalesce(am.through_id, v.allocation_id), now()
  FROM wanted w
  JOIN previous v USING (account_id)
  JOIN driver d ON d.id = w.driver_id
  JOIN lease l ON l.id = w.lease_id
  JOIN medallion me ON me.id = l.medallion_id
  JOIN vehicle ve ON ve.id = l.vehicle_id
  LEFT JOIN category_lines c USING (account_id)
  LEFT JOIN open_credit oc USING (account_id)
  LEFT JOIN settled s USING (account_id)
  LEFT JOIN settlement m USING (account_id)
  LEFT JOIN detail de USING (account_id)
  LEFT JOIN allocation_mark am USING (account_id)
  LEFT JOIN trip_log tl USING (account_id)
  LEFT JOIN allocated al USING (account_id)
