DROP TRIGGER recon_match_rows_inserted ON recon_match_row;
DROP TRIGGER recon_match_row_guard ON recon_match_row;
DROP TRIGGER recon_match_ended ON recon_match;
DROP TRIGGER recon_match_guard ON recon_match;
DROP TRIGGER recon_log_guard ON recon_log;
DROP TRIGGER recon_job_guard ON recon_job;
DROP FUNCTION recon_match_rows_inserted(), recon_match_row_guard(), recon_match_ended(), recon_match_guard(),
  recon_log_guard(), recon_job_guard();
