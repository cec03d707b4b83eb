"""What is done to cases: found, opened, carried out step by step, handed on, cancelled, and written beside."""
