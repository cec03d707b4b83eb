DROP TRIGGER dtr_payment_a_reopened_payout ON dtr_payment;
DROP FUNCTION dtr_payment_of_reopened_payout();
