"""The commands that concern a whole run: init, check, run, up, down, who-sees, explain, doctor."""
