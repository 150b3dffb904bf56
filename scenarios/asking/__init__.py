"""`privity init --ask`: from seven plain questions to a scenario and a sheet of requirements."""
