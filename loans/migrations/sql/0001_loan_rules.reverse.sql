DROP TRIGGER loan_movement_is_booked ON loan_movement;
DROP TRIGGER repayment_loan_is_booked ON repayment;
DROP FUNCTION loan_is_booked();
DROP TRIGGER loan_movement_guard ON loan_movement;
DROP FUNCTION loan_movement_guard();
DROP TRIGGER driver_loan_guard ON driver_loan;
DROP FUNCTION driver_loan_guard();
