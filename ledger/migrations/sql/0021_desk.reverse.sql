DROP TRIGGER dtr_payment_from_drawer ON dtr_payment;
DROP TRIGGER void_to_drawer ON ledger_posting;
DROP TRIGGER interim_payment_to_drawer ON interim_payment;
DROP TRIGGER credit_decision_fits ON credit_decision;
DROP TRIGGER refund_from_drawer ON credit_decision;
DROP TRIGGER opening_import_fits ON opening_import;
DROP TRIGGER drawer_movement_guard ON drawer_movement;
DROP TRIGGER drawer_close_guard ON drawer_close;
DROP TRIGGER check_bounce_guard ON check_bounce;
DROP TRIGGER check_bounce_voided ON check_bounce;
DROP FUNCTION dtr_payment_from_drawer, void_to_drawer, interim_payment_to_drawer, credit_decision_fits,
  refund_from_drawer, opening_import_fits, drawer_movement_guard, drawer_close_guard, check_bounce_guard,
  check_bounce_voided, check_was_banked, drawer_open_day, drawer_closed_through;
