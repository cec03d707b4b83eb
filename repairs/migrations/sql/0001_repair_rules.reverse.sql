DROP INDEX repair_invoice_vendor_idx;
DROP TRIGGER repair_invoice_guard ON repair_invoice;
DROP FUNCTION repair_invoice_guard();
